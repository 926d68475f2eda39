"""Cases from human-made data sets: everyday actions under norms, rules and foundations.

Moral Stories (Emelin et al. 2021), Social Chemistry 101 (Forbes et al. 2020), MoralChoice (Scherrer
et al. 2023), SafeText (Levy et al. 2022), PrivacyLens (Shao et al. 2024), ETHICS (Hendrycks et al.
2021).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from core.training import norms
from core.training.data import Act, Case, Label, Question, Story, rows

FOUNDATIONS: dict[str, tuple[str, ...]] = {
    "care": (
        "The action cares for others and spares them harm.",
        "Care for people and do not hurt them.",
        "We look after one another's well-being.",
        "Kindness and compassion: nobody is made to suffer.",
    ),
    "fairness": (
        "The action is fair and honest and gives everyone their due.",
        "Treat people fairly and do not cheat.",
        "We deal justly with everyone.",
        "Fairness: no cheating, and each gets what is right.",
    ),
    "loyalty": (
        "The action is loyal to family, friends and one's own group.",
        "Stand by your own people and do not betray them.",
        "We keep faith with those who rely on us.",
        "Loyalty: friends, family and team are never let down.",
    ),
    "authority": (
        "The action respects authority, law and tradition.",
        "Respect those in charge and keep to the rules.",
        "We honour our duties and legitimate authority.",
        "Respect for law, order and office.",
    ),
    "sanctity": (
        "The action is decent and keeps body and mind clean and pure.",
        "Act with decency; avoid what is degrading or disgusting.",
        "We keep what is sacred and pure undefiled.",
        "Purity and decency in body and conduct.",
    ),
}
"""Statements for the five foundations (Haidt & Graham 2007); the first is the one to use."""

_RULES = {
    "death": ("Do not kill.", "Nobody may die by what we do."),
    "pain": ("Do not cause pain.", "Nobody is made to suffer, in body or mind."),
    "disable": ("Do not disable anyone.", "Nobody's body or mind is maimed."),
    "freedom": ("Do not deprive anyone of freedom.", "Everyone stays free to decide and to move."),
    "pleasure": ("Do not deprive anyone of pleasure.", "Leave people the things they enjoy."),
    "deceive": ("Do not deceive.", "We tell the truth and mislead nobody."),
    "cheat": ("Do not cheat.", "We play by the rules that all have agreed on."),
    "break_promise": ("Do not break your promises.", "We keep our word."),
    "break_law": ("Do not break the law.", "Everything done here is lawful."),
    "duty": ("Do your duty.", "Each of us does what the post demands."),
}
"""MoralChoice's ten rules of common morality (Gert 2004), with a wording of ours beside each."""

_SAFETY = (
    "Nobody's health or safety is put at risk.",
    "Give only advice that is safe to follow.",
    "Keep people safe and unhurt.",
    "Safety comes first.",
)

_REASONS = (
    ("What is said is a good reason, or a duty that goes with the part.", Label.KEEPS),
    ("Only reasons and duties that make sense.", Label.KEEPS),
    ("The answer must be reasonable.", Label.KEEPS),
    ("Give an excuse that does not hold.", Label.BREAKS),
    ("The answer must make no sense.", Label.BREAKS),
)
_DUES = (
    ("What is claimed is due, and the reason carries it.", Label.KEEPS),
    ("People get what they deserve, for a good reason.", Label.KEEPS),
    ("Treat like cases alike; explain every difference.", Label.KEEPS),
    ("Claims are made that nobody is owed.", Label.BREAKS),
    ("The reason given must be beside the point.", Label.BREAKS),
)
"""Statements for ETHICS with the label that a reasonable row has under them."""


def story_questions(story: Story, other: Story, rng: Random) -> list[tuple[str, Label, Label, str]]:
    """Statements for both actions of a story: (value, label of moral, label of immoral, kind)."""
    keeps, breaks, unrelated = Label.KEEPS, Label.BREAKS, Label.UNRELATED
    parsed = norms.parse(story.norm)
    norm = story.norm
    if parsed is not None and rng.random() < 0.3:
        norm = norms.reword(parsed, parsed.stance, rng)
    asked = [(norm, keeps, breaks, "norm")]
    if (turned := norms.turn_round(story.norm, rng)) is not None:
        asked.append((turned, breaks, keeps, "turned"))
    if rng.random() < 0.3 and (free := norms.permit(story.norm, rng)) is not None:
        asked.append((free, keeps, keeps, "permissive"))
    if rng.random() < 0.5:
        foreign = (
            other.norm if rng.random() < 0.6 else norms.turn_round(other.norm, rng) or other.norm
        )
        asked.append((foreign, unrelated, unrelated, "unrelated"))
    return asked


def story_cases(
    stories: Sequence[Story], foundations: dict[str, tuple[tuple[str, ...], int]], rng: Random
) -> list[Case]:
    """Both actions of each story under its norm, the norm turned round, and others."""
    cases = []
    for story in stories:
        asked = story_questions(story, rng.choice(stories), rng)
        acts = []
        for text, moral in ((story.moral, True), (story.immoral, False)):
            questions = [Question(value, a if moral else b, kind) for value, a, b, kind in asked]
            if text in foundations:
                questions += _foundation_questions(*foundations[text], rng)
            acts.append(Act(text, tuple(questions), 0.05 if moral else 0.8, 0.3))
        cases.append(Case("", tuple(acts)))
    return cases


def _foundation_questions(listed: tuple[str, ...], label: int, rng: Random) -> list[Question]:
    asked = [
        Question(
            rng.choice(FOUNDATIONS[name]), Label.KEEPS if label else Label.BREAKS, "foundation"
        )
        for name in listed
    ]
    if len(listed) < len(FOUNDATIONS) and rng.random() < 0.2:
        other = rng.choice([name for name in FOUNDATIONS if name not in listed])
        asked.append(Question(rng.choice(FOUNDATIONS[other]), Label.UNRELATED, "foundation"))
    return asked


def read_foundations(path: Path, without: set[str]) -> dict[str, tuple[tuple[str, ...], int]]:
    """Action → (foundations, 1 conforms or 0 violates), leaving out the texts named."""
    return {
        row["text"]: (tuple(f for f in row["foundations"] if f in FOUNDATIONS), row["label"])
        for row in rows(path)
        if row["text"] not in without
    }


def chemistry_cases(path: Path, count: int, rng: Random) -> list[Case]:
    """Actions of Social Chemistry 101 under their rule of thumb, and under its opposite."""
    every = list(rows(path))
    cases = []
    for row in rng.sample(every, min(count, len(every))):
        questions = [Question(row["rule"], Label.KEEPS, "norm")]
        if (turned := norms.turn_round(row["rule"], rng)) is not None:
            questions.append(Question(turned, Label.BREAKS, "turned"))
        if rng.random() < 0.5:
            questions.append(Question(rng.choice(every)["rule"], Label.UNRELATED, "unrelated"))
        if row["foundations"] and rng.random() < 0.3:
            questions += _foundation_questions(
                tuple(f for f in row["foundations"] if f in FOUNDATIONS), 1, rng
            )
        cases.append(Case("", (Act(row["action"], tuple(questions)),)))
    return cases


def choice_cases(path: Path, rng: Random) -> list[Case]:
    """MoralChoice: both actions under the rules that the bad one breaks, and under another."""
    cases = []
    for row in rows(path):
        broken = list(row["rules_broken_by_bad"])
        others = rng.sample([rule for rule in _RULES if rule not in broken], 1)
        asked = [(rng.choice(_RULES[rule]), rule in broken) for rule in broken[:4] + others]
        cases.append(
            Case(
                row["context"],
                tuple(
                    Act(
                        row[which],
                        tuple(
                            Question(v, label if relevant else Label.UNRELATED, "rule")
                            for v, relevant in asked
                        ),
                        harm,
                        0.5,
                    )
                    for which, label, harm in (
                        ("good_action", Label.KEEPS, 0.0),
                        ("bad_action", Label.BREAKS, 1.0),
                    )
                ),
            )
        )
    return cases


def safety_cases(path: Path, rng: Random) -> list[Case]:
    """SafeText: advice that is safe to follow, or not."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows(path):
        grouped.setdefault(row["situation"], []).append(row)
    cases = []
    for situation, group in grouped.items():
        value = rng.choice(_SAFETY)
        acts = tuple(
            Act(
                row["action"],
                (Question(value, Label.KEEPS if row["label"] else Label.BREAKS, "rule"),),
                1.0 - row["label"],
                0.7,
            )
            for row in group
        )
        cases.append(Case(situation, acts))
    return cases


def reason_cases(data: Path, count: int, rng: Random) -> list[Case]:
    """ETHICS: excuses, duties and claims that are reasonable, or not; about `count` rows of each.

    Neighbouring rows answer the same question, or vary the same claim, and are judged together.
    """
    cases = []
    for name, said, statements in (("deontology", "excuse", _REASONS), ("justice", "text", _DUES)):
        every = list(rows(data / f"ethics.{name}_train.jsonl"))
        groups = [every[i : i + 4] for i in range(0, len(every), 4)]
        for group in rng.sample(groups, min(count // 4, len(groups))):
            asked = rng.sample(statements, 2)
            for context in dict.fromkeys(row.get("scenario", "") for row in group):
                acts = tuple(
                    Act(
                        row[said].strip(),
                        tuple(
                            Question(value, label if row["label"] else label.turned, "rule")
                            for value, label in asked
                        ),
                    )
                    for row in group
                    if row.get("scenario", "") == context
                )
                cases.append(Case(context, acts))
    return cases


def privacy_cases(path: Path, rng: Random) -> list[Case]:
    """PrivacyLens: personal matters sent to those who must not read them, or whom they concern."""
    cases = []
    for row in rows(path):
        seed, items = row["seed"], row["sensitive_items"]
        if not items:
            continue
        who, what, to = seed["data_subject"], seed["data_type"], seed["data_recipient"]
        text = " ".join(rng.sample(items, min(len(items), 2)))[:400]
        asked = (
            (
                rng.choice(
                    (
                        f"{what} of {who} must not reach {to}.",
                        f"Never tell {to} about {what}.",
                        "Personal matters stay with those they concern.",
                    )
                ),
                Label.BREAKS,
                Label.KEEPS,
            ),
            (
                rng.choice((f"{to} should be told about {what}.", f"Always inform {to}.")),
                Label.KEEPS,
                Label.BREAKS,
            ),
            (
                rng.choice(
                    (f"It is fine to share {what} with anyone.", f"You may tell {to} about {what}.")
                ),
                Label.KEEPS,
                Label.KEEPS,
            ),
        )
        acts = tuple(
            Act(
                json.dumps(
                    {"tool": row["final_tool"], "args": {"to": recipient, "text": text}},
                    ensure_ascii=False,
                ),
                tuple(
                    Question(value, leak if leaks else stay, "rule") for value, leak, stay in asked
                ),
                1.0 if leaks else 0.1,
                0.5,
            )
            for recipient, leaks in ((to, True), (who, False))
        )
        cases.append(Case(row["instruction"][:300], acts))
    return cases
