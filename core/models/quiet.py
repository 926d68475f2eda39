"""Importing this silences transformers: what it would draw on standard error is our own to tell."""

from transformers.utils import logging

logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]
