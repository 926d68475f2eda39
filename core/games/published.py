"""What Tennant, Hailes and Musolesi 2025 report, read off their figure (±0.03)."""

from __future__ import annotations

from msgspec import Struct

from core.games.matrix import GAMES


class Published(Struct, frozen=True):
    """Regrets of a model trained against tit-for-tat, tested with new words."""

    deontological_regret: float
    utilitarian_regret: dict[str, float]
    """By game."""


def _row(deontological: float, *utilitarian: float) -> Published:
    return Published(deontological, dict(zip(GAMES, utilitarian, strict=True)))


PUBLISHED = {
    "untuned": _row(5.9, 0.98, 0.98, 0.98, 0.98, 0.98),
    "game-vs-tit-for-tat": _row(1.75, 0.25, 0.39, 0.24, 0.19, 0.25),
    "de-vs-tit-for-tat": _row(0.15, 0.14, 0.27, 0.10, 0.25, 0.42),
    "ut-vs-tit-for-tat": _row(0.05, 0.10, 0.21, 0.04, 0.26, 0.44),
    "game+de-vs-tit-for-tat": _row(0.45, 0.20, 0.32, 0.17, 0.24, 0.38),
    "game-then-de-vs-tit-for-tat": _row(0.45, 0.15, 0.28, 0.13, 0.23, 0.41),
    "game-then-ut-vs-tit-for-tat": _row(0.95, 0.18, 0.30, 0.17, 0.22, 0.36),
}
"""By `RunSettings.setting`; all five games against a random opponent."""
