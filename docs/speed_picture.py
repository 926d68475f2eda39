"""Draws performance.svg beside it from a file that `placet bench --json` wrote."""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

PICTURE = Path(__file__).with_name("performance.svg")


def draw(found: dict[str, Any], path: Path) -> None:
    """A round beside the tutorial's loop, and how the time to judge grows."""
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    ours, theirs = found["placet"], found["tutorial"]
    rows = {
        "first text": ours["first_candidate_s"],
        "first verdict": ours["first_verdict_s"],
        "whole round": ours["median_s"],
        "tutorial's loop": theirs["median_s"],
    }
    bars = left.barh(list(rows), list(rows.values()), color=["C0", "C0", "C0", "gray"])
    left.bar_label(bars, fmt="%.2f s", padding=3)
    left.margins(x=0.18)
    left.invert_yaxis()
    left.set(xlabel="seconds", title=f"{found['candidates']} candidates × {found['values']} values")
    most = 1
    curves = (("candidates", "values", 5, "C0"), ("values", "candidates", 8, "C1"))
    for what, other, fixed, color in curves:
        points = sorted(
            {row[what]: row["judge_s"] for row in found["scaling"] if row[other] == fixed}.items()
        )
        sizes, seconds = zip(*points, strict=True)
        right.loglog(sizes, seconds, color, marker="o", label=f"{what}, with {fixed} {other}")
        each = seconds[-1] / sizes[-1]
        right.loglog(sizes, [each * size for size in sizes], color, linestyle=":")
        most = max(most, sizes[-1])
    ticks = [2**power for power in range(most.bit_length())]
    right.set_xticks(ticks, labels=map(str, ticks))
    right.xaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_locator(NullLocator())
    right.grid(alpha=0.3)
    right.set(xlabel="how many", ylabel="seconds", title="Judging (dotted: in proportion)")
    right.legend(fontsize="small")
    drawn.savefig(path)


def main(path: Path) -> None:
    """Draws the figures in that file, where it has all that is drawn."""
    found = json.loads(path.read_text("utf-8"))
    if not found["scaling"]:
        sys.exit(f"{path}: scaling is empty: run `placet bench --json` without --no-scaling")
    draw(found, PICTURE)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("python docs/speed_picture.py FILE, which `placet bench --json` wrote")
    main(Path(sys.argv[1]))
