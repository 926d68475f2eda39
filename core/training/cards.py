"""The cards beside a policy's adapter: what each of its trainings was begun with and came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.errors import BadInput
from core.files import parse_toml, read_text, write_whole

FORM = "policy.toml"
REFINED = "refined.toml"
PREFERRED = "preferred.toml"
CARDS = FORM, REFINED, PREFERRED


def carry(begin: Path, out: Path) -> None:
    """Takes along what the trainings before wrote: what they learnt from was never unseen."""
    for name in CARDS:
        if (begin / name).exists():
            write_whole(out / name, read_text(begin / name))


def held_out_shares(adapter: Path) -> Iterator[float]:
    """The share of the scenarios that each training of an adapter held out, 0 to 1.

    Raises:
        BadInput: a card does not say it.
    """
    for path in (adapter / name for name in CARDS):
        if path.exists():
            try:
                config = parse_toml(read_text(path), str(path))["config"]
                yield float(config.get("sft", config)["held_out"])
            except (AttributeError, KeyError, TypeError, ValueError):
                raise BadInput(
                    "the card does not say what share of the scenarios was held out",
                    where=f"{path}: config",
                    mend="Bring the card that the training wrote, or take this one away.",
                ) from None
