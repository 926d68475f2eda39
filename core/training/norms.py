"""Statements of value turned round, reworded, or made permissive, by rule.

A judge trained on natural norms learns to look at the action alone: good people's actions keep
good norms. What forces it to read the statement is the same action under the statement's opposite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from random import Random

GOOD = (
    "good right nice kind polite important okay acceptable expected considerate responsible moral "
    "great honest respectful healthy best appropriate fair wise fun generous courteous safe "
    "helpful encouraged recommended admirable normal ok alright essential necessary legal smart "
    "decent caring thoughtful proper required reasonable understandable allowed loyal"
).split()
BAD = (
    "bad wrong rude mean hurtful unacceptable irresponsible immoral impolite inappropriate selfish "
    "inconsiderate disgusting gross dishonest disrespectful unhealthy dangerous cruel annoying "
    "unkind unethical unfair awful terrible horrible discouraged frustrating illegal weird "
    "disturbing insensitive unprofessional lazy foolish stupid unsafe reckless improper forbidden "
    "prohibited thoughtless uncaring disloyal shameful unreasonable unwise harmful tacky creepy "
    "greedy evil abusive childish upsetting offensive"
).split()
PAIRS = {
    "good": "bad", "right": "wrong", "nice": "mean", "kind": "unkind", "polite": "rude",
    "okay": "not okay", "ok": "not ok", "acceptable": "unacceptable", "responsible": "irresponsible",
    "moral": "immoral", "appropriate": "inappropriate", "honest": "dishonest", "fair": "unfair",
    "considerate": "inconsiderate", "respectful": "disrespectful", "healthy": "unhealthy",
    "safe": "dangerous", "wise": "foolish", "encouraged": "discouraged", "legal": "illegal",
    "expected": "frowned upon", "important": "wrong", "generous": "selfish", "allowed": "forbidden",
    "ethical": "unethical", "thoughtful": "thoughtless", "caring": "cruel", "fun": "annoying",
}  # fmt: skip
OPPOSITES = PAIRS | {bad: good for good, bad in PAIRS.items()} | {
    "hurtful": "kind", "disgusting": "nice", "gross": "nice", "cruel": "kind", "mean": "nice",
    "wrong": "right", "rude": "polite", "impolite": "polite", "selfish": "generous",
    "frowned upon": "encouraged", "looked down upon": "admired",
}  # fmt: skip

_ADJECTIVE = "|".join(sorted({*GOOD, *BAD, *OPPOSITES, "frowned upon", "looked down upon"}, key=len, reverse=True))
_IT = re.compile(
    rf"^(?P<head>(?:it'?s|it is|it can be|that is|is|its) (?:(?:very|really|extremely|usually|generally|often|so|always|"
    rf"considered|never|a|also|just|incredibly) )*)(?P<neg>not )?(?P<adj>{_ADJECTIVE})(?: (?:thing|idea))?"
    rf"(?P<whom> (?:for|of) [\w' ]{{2,40}}?)?(?P<un> not| never)? to (?P<act>.+)$",
    re.I,
)
_IT_OTHER = re.compile(
    rf"^(?P<head>(?:it'?s|it is|it can be|its) (?:(?:very|really|extremely|so) )*)(?P<neg>not )?(?P<adj>{_ADJECTIVE})"
    rf"(?P<rest> (?:when|if|that|for|how|behaviou?r|manners|form|of|in|as)\b.+)$",
    re.I,
)
_MODAL = re.compile(
    r"^(?P<whom>(?!it\b)[\w'’ ,-]{1,48}?) (?:(?P<modal>should|must|ought to|need to|needs to|have to|has to)"
    r"(?P<neg>n't| not| never)?|(?P<cannot>can't|cannot|may not|can not)|"
    r"(?P<be>are|is|'re) (?P<beneg>not )?(?:expected|supposed|required|encouraged|meant) to(?P<un> not)?)"
    r" (?:always |be sure to |try to )?(?P<act>.+)$",
    re.I,
)
_DONT = re.compile(r"^(?:do not|don't|never|avoid ever) (?P<act>.+)$", re.I)
_ALWAYS = re.compile(r"^(?:always|please|do) (?P<act>.+)$", re.I)
_SUBJECT = re.compile(r"^(?P<whom>we|staff|agents?|employees|nobody|no one|no-one|nothing) (?P<act>.+)$", re.I)
_GERUND = re.compile(rf"^(?P<what>\w+ing\b.{{0,90}}?) (?P<be>is|are|can be) (?P<neg>not )?(?:\w+ly )?(?P<adj>{_ADJECTIVE})\b\.?$", re.I)  # fmt: skip


class Stance(Enum):
    """What a statement wants of the matter that it names."""

    FOR = 1
    AGAINST = -1
    FREE = 0

    @property
    def opposite(self) -> Stance:
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
        against = (not good) ^ bool(found["neg"]) ^ bool(found["un"]) ^ ("never" in found["head"].lower())
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

_FOR = (
    "{You} should {act}.", "{You} should always {act}.", "Always {act}.", "{Act}.", "{You} must {act}.",
    "It is important to {act}.", "It's good to {act}.", "It's right to {act}.", "We expect people to {act}.",
    "Staff are required to {act}.", "It is expected to {act}.", "It is wrong not to {act}.", "Be sure to {act}.",
    "Never fail to {act}.", "It's rude not to {act}.", "It's nice to {act}.", "It's polite to {act}.",
    "Our rule: {act}.", "Please {act}.", "{You} ought to {act}.",
)  # fmt: skip
_AGAINST = (
    "{You} should not {act}.", "{You} shouldn't {act}.", "Never {act}.", "Do not {act}.", "Don't {act}.",
    "{You} must not {act}.", "It's wrong to {act}.", "It is bad to {act}.", "It's unacceptable to {act}.",
    "Nobody may {act}.", "It is forbidden to {act}.", "It's not okay to {act}.", "No one should {act}.",
    "Staff must never {act}.", "We do not {act}.", "It's mean to {act}.", "It's rude to {act}.",
    "People shouldn't {act}.", "It's irresponsible to {act}.", "We never {act}.",
)  # fmt: skip
_FREE = (
    "It's fine to {act}.", "It is fine to {act}.", "{You} may {act} if {you} like.", "{You} are free to {act} or not.",
    "There is nothing wrong with choosing to {act}.", "It's perfectly fine to {act}.", "It is no problem to {act}.",
    "Nobody minds if people {act}.", "{You} may {act}, but need not.", "Everyone may decide for themselves whether to {act}.",
)  # fmt: skip
_TEMPLATES = {Stance.FOR: _FOR, Stance.AGAINST: _AGAINST, Stance.FREE: _FREE}


def reword(norm: Norm, stance: Stance, rng: Random) -> str:
    """The same matter in another sentence, with the stance asked for."""
    whom = norm.whom if len(norm.whom) < 30 else "people"
    template = rng.choice(_TEMPLATES[stance])
    act = norm.act
    return template.format(you=whom, You=_capital(whom), act=act, Act=_capital(act))


def turn_round(statement: str, rng: Random) -> str | None:
    """The statement's opposite: by the smallest edit half of the time, else reworded.

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
    likely = OPPOSITES.get(adjective) or rng.choice(("wrong", "bad") if good else ("good", "right", "okay"))
    if rng.random() < 0.4:
        likely = rng.choice(("wrong", "bad", "rude", "unacceptable", "not okay", "mean") if good else (
            "good", "right", "nice", "acceptable", "okay", "important", "polite", "kind", "expected"))  # fmt: skip
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
        (r"\b(are|is) (expected|supposed|required|encouraged|meant) to\b", (r"\1 \2 not to", r"\1 not \2 to")),
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


def permit(statement: str, rng: Random) -> str | None:
    """A statement that leaves everyone free in the matter: whatever is done keeps it."""
    norm = parse(statement)
    return None if norm is None else reword(norm, Stance.FREE, rng)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
