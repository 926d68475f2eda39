"""The command line: thin commands over the core."""

from core.cli.main import main

__all__ = ["main"]
