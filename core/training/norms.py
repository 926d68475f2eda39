"""Statements of value turned round, reworded, or made permissive, by rule.

A judge trained on natural norms learns to look at the action alone: good people's actions keep
good norms. What forces it to read the statement is the same action under the statement's opposite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from random import Random

from core.training.norm_words import AGAINST, BAD, FOR, FREE, GOOD, OPPOSITES, PAIRS

_ADJECTIVE = "|".join(
    sorted({*GOOD, *BAD, *OPPOSITES, "frowned upon", "looked down upon"}, key=len, reverse=True)
)
_IT = re.compile(
    r"^(?P<head>(?:it'?s|it is|it can be|that is|is|its) "
    r"(?:(?:very|really|extremely|usually|generally|often|so|always|"
    r"considered|never|a|also|just|incredibly) )*)"
    rf"(?P<neg>not )?(?P<adj>{_ADJECTIVE})(?: (?:thing|idea))?"
    rf"(?P<whom> (?:for|of) [\w' ]{{2,40}}?)?(?P<un> not| never)? to (?P<act>.+)$",
    re.I,
)
_IT_OTHER = re.compile(
    r"^(?P<head>(?:it'?s|it is|it can be|its) (?:(?:very|really|extremely|so) )*)"
    rf"(?P<neg>not )?(?P<adj>{_ADJECTIVE})"
    rf"(?P<rest> (?:when|if|that|for|how|behaviou?r|manners|form|of|in|as)\b.+)$",
    re.I,
)
_MODAL = re.compile(
    r"^(?P<whom>(?!it\b)[\w'’ ,-]{1,48}?) "
    r"(?:(?P<modal>should|must|ought to|need to|needs to|have to|has to)"
    r"(?P<neg>n't| not| never)?|(?P<cannot>can't|cannot|may not|can not)|"
    r"(?P<be>are|is|'re) (?P<beneg>not )?"
    r"(?:expected|supposed|required|encouraged|meant) to(?P<un> not)?)"
    r" (?:always |be sure to |try to )?(?P<act>.+)$",
    re.I,
)
_DONT = re.compile(r"^(?:do not|don't|never|avoid ever) (?P<act>.+)$", re.I)
_ALWAYS = re.compile(r"^(?:always|please|do) (?P<act>.+)$", re.I)
_GERUND = re.compile(
    r"^(?P<what>\w+ing\b.{0,90}?) (?P<be>is|are|can be) (?P<neg>not )?(?:\w+ly )?"
    rf"(?P<adj>{_ADJECTIVE})\b\.?$",
    re.I,
)


class Stance(Enum):
    """What a statement wants of the matter that it names."""

    FOR = 1
    AGAINST = -1
    FREE = 0

    @property
    def opposite(self) -> Stance:
        """For and against exchanged."""
        return Stance(-self.value)


@dataclass(frozen=True, slots=True)
class Norm:
    """A statement taken apart."""

    stance: Stance
    act: str
    """What is spoken of, as a bare infinitive without full stop: "lend a friend money"."""
    whom: str = "you"


def plain(statement: str) -> str:
    """One spelling of apostrophes and spaces, no full stop."""
    return re.sub(r"\s+", " ", statement.replace("’", "'").replace("`", "'")).strip().rstrip(".!")


def parse(statement: str) -> Norm | None:
    """Take a statement apart, or None where no rule fits."""
    text = plain(statement)
    if found := _IT.match(text):
        good = found["adj"].lower() in _GOOD_ALL
        against = (
            (not good) ^ bool(found["neg"]) ^ bool(found["un"]) ^ ("never" in found["head"].lower())
        )
        whom = re.sub(r"^ (?:for|of) ", "", found["whom"] or " for you")
        return Norm(Stance.AGAINST if against else Stance.FOR, found["act"], whom)
    if found := _MODAL.match(text):
        against = bool(found["neg"] or found["cannot"] or found["beneg"]) ^ bool(found["un"])
        whom = found["whom"]
        if whom.lower() in ("no one", "nobody", "no-one"):
            against, whom = not against, "people"
        return Norm(Stance.AGAINST if against else Stance.FOR, found["act"], whom)
    if found := _DONT.match(text):
        return Norm(Stance.AGAINST, found["act"])
    if found := _ALWAYS.match(text):
        return Norm(Stance.FOR, found["act"])
    return None


_GOOD_ALL = {*GOOD, *PAIRS, "admired"}

_TEMPLATES = {Stance.FOR: FOR, Stance.AGAINST: AGAINST, Stance.FREE: FREE}


def reword(norm: Norm, stance: Stance, rng: Random) -> str:
    """The same matter in another sentence, with the stance asked for."""
    whom = norm.whom if len(norm.whom) < 30 else "people"
    whom = "you" if whom.lower() == "you" else whom
    template = rng.choice(_TEMPLATES[stance])
    act = norm.act
    return template.format(you=whom, You=_capital(whom), act=act, Act=_capital(act))


def turn_round(statement: str, rng: Random) -> str | None:
    """The statement's opposite: by the smallest edit six times in ten, else reworded.

    "It's mean to laugh at him" becomes "It's nice to laugh at him", or "Always laugh at him."
    None where no rule fits.
    """
    norm = parse(statement)
    edited = edit_round(statement, rng)
    if norm is not None and (edited is None or rng.random() < 0.4):
        return reword(norm, norm.stance.opposite, rng)
    return edited


def edit_round(statement: str, rng: Random) -> str | None:
    """The smallest edit that exchanges what a statement praises and what it blames, or None."""
    text = plain(statement)
    if found := _IT.match(text) or _IT_OTHER.match(text):
        return _swap(text, found, rng)
    if found := _GERUND.match(text):
        return _swap(text, found, rng)
    for pattern, replacements in _EDITS:
        if pattern.search(text):
            return _capital(pattern.sub(rng.choice(replacements), text, count=1)) + "."
    return None


def _swap(text: str, found: re.Match[str], rng: Random) -> str:
    """Exchange the adjective for its opposite, or add or drop the "not" before it."""
    adjective = found["adj"].lower()
    before = text[: found.start("neg") if found["neg"] else found.start("adj")]
    after = text[found.end("adj") :]
    before = re.sub(r"\b(a|an) $", "a ", before)
    if found["neg"]:
        return _capital(before + found["adj"] + after) + "."
    good = adjective in _GOOD_ALL
    likely = OPPOSITES.get(adjective) or rng.choice(
        ("wrong", "bad") if good else ("good", "right", "okay")
    )
    if rng.random() < 0.4:
        likely = rng.choice(
            ("wrong", "bad", "rude", "unacceptable", "not okay", "mean")
            if good
            else (
                "good",
                "right",
                "nice",
                "acceptable",
                "okay",
                "important",
                "polite",
                "kind",
                "expected",
            )
        )
    return _capital(before + likely + after) + "."


_EDITS = tuple(
    (re.compile(pattern, re.I), replacements)
    for pattern, replacements in (
        (r"\b(should|must|ought)(?:n't| not| never)\b", (r"\1", r"\1 always")),
        (r"\b(?:can't|cannot|can not)\b", ("can", "should")),
        (r"\bmay not\b", ("may", "must")),
        (r"\b(should|must)(?: always)?\b", (r"\1 not", r"\1 never")),
        (r"\bought to\b", ("ought not to",)),
        (r"\b(?:need|needs|has|have) to\b", ("must not", "should not")),
        (r"\b(are|is) not (expected|supposed|allowed|required|encouraged|meant)\b", (r"\1 \2",)),
        (
            r"\b(are|is) (expected|supposed|required|encouraged|meant) to\b",
            (r"\1 \2 not to", r"\1 not \2 to"),
        ),
        (r"^(?:do not|don't) ", ("Always ", "Do ", "")),
        (r"^never ", ("Always ",)),
        (r"^always ", ("Never ", "Do not ")),
        (r"^we never ", ("We always ", "We ")),
        (r"^we always ", ("We never ",)),
        (r"^we (?:do not|don't) ", ("We ", "We always ")),
        (r"^(?:nobody|no one) ", ("Everybody ", "Everyone ")),
        (r"^(?:everybody|everyone) ", ("Nobody ",)),
        (r"\bnever\b", ("always",)),
        (r"\balways\b", ("never",)),
        (r"^no (\w+) (may|is|are|goes|go)\b", (r"Any \1 \2",)),
        (r"\b(is|are) not\b", (r"\1",)),
    )
)


def turn_rule(statement: str, rng: Random) -> str | None:
    """The opposite of an organisation's rule, only where the smallest edit surely gives it."""
    if re.search(r"[,;:]", statement) or len(statement.split()) > 16:
        return None
    return edit_round(statement, rng)


def permit(statement: str, rng: Random) -> str | None:
    """A statement that leaves everyone free in the matter: whatever is done keeps it."""
    norm = parse(statement)
    return None if norm is None else reword(norm, Stance.FREE, rng)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
