"""The weight formats of the real judge: a faster one may not judge otherwise."""

import pytest

from core import library
from core.domain.verdict import assess
from core.models.load import load_judge
from core.stages.heads import HeadsJudge
from core.watch import SILENT

pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_bfloat16_ranks_and_scores_the_demo_as_float32_does() -> None:
    scenario = library.load_scenario(library.DEMO)
    profile = library.profile_for(scenario)
    texts = [
        "Write to all customers in plain words what the new fee is, before it is taken.",
        "Ring the oldest customers first and tell them that there is no other choice.",
        "Take the fee now and mention it on page nine of the next newsletter.",
        "Ask ten customers to read the letter, and mend what they do not understand.",
        *(candidate.text for candidate in scenario.candidates),
    ]
    exact, fast = (
        [
            *HeadsJudge(*load_judge(device="cpu", dtype=dtype)).measure(
                [(scenario, text) for text in texts], profile, SILENT
            )
        ]
        for dtype in ("float32", "bfloat16")
    )

    gaps = [
        abs(one.scores[name] - other.scores[name])
        for one, other in zip(exact, fast, strict=True)
        for name in one.scores
    ]
    assert sum(gaps) / len(gaps) < 0.02
    wanted, found = (
        [assess(judgement, profile).alignment for judgement in judged] for judged in (exact, fast)
    )
    for left in range(len(texts)):
        for right in range(len(texts)):
            if wanted[left] > wanted[right] + 0.02:  # nearer than that is a tie
                assert found[left] > found[right]
