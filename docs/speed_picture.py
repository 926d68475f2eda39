"""Draws performance.svg beside it from a file that `placet bench --json` wrote."""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

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
    for what, other, fixed in (("candidates", "values", 5), ("values", "candidates", 8)):
        points = sorted(
            {row[what]: row["judge_s"] for row in found["scaling"] if row[other] == fixed}.items()
        )
        right.loglog(*zip(*points, strict=True), marker="o", label=f"{what}, {fixed} {other}")
        ends = [points[0][0], points[-1][0]]
        grown = points[-1][1] / points[-1][0]
        right.loglog(ends, [grown * end for end in ends], linestyle=":", color="gray")
    right.set(xlabel="how many", ylabel="seconds", title="Judging (dotted: in proportion)")
    right.legend(fontsize="small")
    drawn.savefig(path)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text("utf-8")), PICTURE)
