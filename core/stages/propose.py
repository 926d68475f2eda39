"""Propose: candidate actions for a goal in a context."""

import re
from collections.abc import Callable, Iterable, Sequence

from core.domain.scenario import Scenario
from core.domain.text import first_call, first_sentences, is_call, terms, tidy, unlabelled, words
from core.models.base import Draft, Sampling, TextModel
from core.stages import prompts
from core.watch import SILENT, Dropped, Growing, Progress, Watch, Written

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=64, sentences=1)
ROUNDS = 3
"""How often rows that came to nothing are sampled again."""

SHORTEST = 4
"""Words that an action has at least."""

ALIKE = 0.75
"""Two texts that have this much of their words in common say the same thing."""

_NO_ACTION = re.compile(
    r"^(?:sure|certainly|of course|here (?:is|are)|here's|as an ai|i(?:'m| am) (?:sorry|an)|sorry|"
    r"the (?:goal|context)|(?:goal|context|note|answer)\s*:)(?:\b|\s|$)",
    re.IGNORECASE,
)


def propose(
    model: TextModel,
    scenario: Scenario,
    *,
    count: int,
    seed: int,
    avoid: Sequence[str] = (),
    on_round: Callable[[dict[int, str]], None] = lambda new: None,
    watch: Watch = SILENT,
) -> str:
    """Samples `count` actions in one batch, and again, `ROUNDS` times, what cannot be used.

    `on_round` gets what each round brought, by row, before the next begins. What a row
    draws depends on seed, row and round only. Gives why there are fewer than were asked for, or
    nothing. Raises `Cancelled` between tokens and `BadInput` where goal and context do not fit into
    the model's window.
    """
    prompt = prompts.proposal(scenario)
    found: dict[int, str] = {}
    why: dict[int, str] = {}
    for attempt in range(ROUNDS):
        rows = [row for row in range(count) if row not in found]
        if not rows:
            break

        def grown(place: int, text: str, rows: list[int] = rows) -> None:
            watch.say(Growing(row=rows[place], text=text))

        seeds = [seed * 1_000_003 + attempt * 1009 + row for row in rows]
        drafts = model.generate([prompt] * len(rows), SAMPLING, seeds, watch, grown)
        new: dict[int, str] = {}
        for row, draft in zip(rows, drafts, strict=True):
            text, problem = usable(
                draft, scenario.request, [*found.values(), *new.values(), *avoid]
            )
            if problem:
                why[row] = problem
            else:
                new[row] = text
                watch.say(Written(row=row, text=text))
        found |= new
        on_round(new)
        watch.say(Progress(stage="propose", done=len(found), total=count))
    for row in range(count):
        if row not in found:
            watch.say(Dropped(row=row, why=why[row]))
    if len(found) == count:
        return ""
    reasons = ", ".join(sorted({why[row] for row in range(count) if row not in found}))
    return f"{len(found)} of {count} proposals could be used; the others were: {reasons}"


def usable(draft: Draft, asked: str, others: Iterable[str]) -> tuple[str, str]:
    """The action in a draft and an empty string, or an empty string and why there is none."""
    text = action_in(draft.text)
    if len(words(text)) < SHORTEST:
        return "", "empty" if not draft.text.strip() else "not an action"
    if text.startswith("{"):
        if not is_call(text):  # whatever ended it, nobody can run it
            return "", "not a whole tool call"
    elif not draft.finished and not first_sentences(text, 1):
        return "", "cut short"
    if overlap(text, asked) >= 1.0 or tidy(text).lower() in tidy(asked).lower():
        return "", "an echo of the request"
    if _loops(words(text)):
        return "", "repeating itself"
    if any(alike(text, other) for other in others):
        return "", "like another"
    return text, ""


def action_in(text: str) -> str:
    """The first one or two sentences of `text` that say what to do, without labels and quotes."""
    text = tidy(unlabelled(text.strip()))
    if text.startswith(("{", "[")):
        return first_call(text) or text
    kept: list[str] = []
    rest = text
    while rest and len(kept) < 2:
        apart = " " if kept and rest.startswith(" ") else ""
        rest = rest.strip()
        sentence = first_sentences(rest, 1) or rest
        rest = rest[len(sentence) :]
        bare = unlabelled(sentence).strip("\"“”' ")
        if bare.endswith(("?", ":", "？", "：")) or _NO_ACTION.match(bare):
            if kept:
                break
            continue
        if kept and not bare.endswith((".", "!", "…", "。", "｡", "！", "।", "۔")):
            break  # a second sentence that was cut short
        kept.append(apart + bare)
    return "".join(kept)


def overlap(text: str, other: str) -> float:
    """The share of the words of `text` that stand in `other`, 0 to 1."""
    own, theirs = terms(text), terms(other)
    return len(own & theirs) / len(own) if own else 0.0


def in_common(text: str, other: str) -> float:
    """The share of the words of both that both have, 0 to 1 (Jaccard index)."""
    own, theirs = terms(text), terms(other)
    return len(own & theirs) / len(own | theirs) if own | theirs else 0.0


def alike(text: str, other: str) -> bool:
    """Whether two texts use nearly the same words."""
    return in_common(text, other) >= ALIKE


def _loops(said: Sequence[str]) -> bool:
    triples = [tuple(said[index : index + 3]) for index in range(len(said) - 2)]
    return len(triples) > 5 and len(set(triples)) < 0.7 * len(triples)
