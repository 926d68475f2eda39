"""Text that no person here wrote: bounded, drawn literally, compared by digest."""

import hashlib
import json
import re
import unicodedata

_HARMLESS_FORMAT = "\u00ad\u200c\u200d"  # soft hyphen and the joiners that scripts and emoji need
_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks that draw nothing
_SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_MARKS = 6
"""Marks on one letter; no script stacks more, and a pile of them draws over its neighbours."""
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)|[。｡！？।۔]+[\"'”’)\]」』】）]*")
"""Where no blank stands between sentences, or a stop means nothing else, none has to follow."""
_UNSPACED = (
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # kana
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46"  # Thai
)
"""Letters of scripts that write no blank between words."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_RUN = re.compile(rf"([{_UNSPACED}]+)|[^\W{_UNSPACED}]+")
_JSON = json.JSONDecoder()
_LABEL = re.compile(
    r"^\W*(?:(?:the\s+)?(?:next\s+|first\s+|rewritten\s+|proposed\s+)*action(?:\s+is)?|step)\s*\d*\s*[:.)-]\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_ABBREVIATION = re.compile(r"\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|e\.g|i\.e|approx|etc)\.$")


def storable(text: str) -> str:
    """`text` with lone surrogates replaced: whatever can be kept in UTF-8, unchanged otherwise."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(text: str, *, one_line: bool = False) -> str:
    """`text` as it may be drawn: no control, escape, bidirectional-override or unseen characters.

    Line breaks survive unless `one_line`; tabs become spaces. What is taken out leaves a visible
    mark (U+FFFD), so that a reader sees that something was there.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    out: list[str] = []
    marks = 0
    before = ""
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        unseen = char in _BLANKS or (_SELECTORS.match(char) and not _selects(before))
        before = char
        if char == "\n":
            out.append(" " if one_line else char)
        elif category in ("Cc", "Cs", "Cn", "Co") or (
            (category == "Cf" and char not in _HARMLESS_FORMAT) or unseen or marks > _MARKS
        ):
            out.append("\N{REPLACEMENT CHARACTER}")
        else:
            out.append(char)
    return "".join(out)


def _selects(before: str) -> bool:
    """Whether a variation selector has something to select behind that character.

    Else a row of them, none of which is seen, could spell a sentence.
    """
    if not before or before in "#*‼⁉":  # what emoji are made of, too
        return bool(before)
    return unicodedata.category(before) in ("Lo", "Nd", "Sm", "So")


def tidy(text: str) -> str:
    """`text` on one line, with single spaces."""
    return " ".join(text.split())


def first_sentences(text: str, count: int, *, open_ended: bool = False) -> str:
    """The first `count` sentences of `text`, or an empty string if it has fewer that are complete.

    With `open_ended` the text may go on, so a full stop at its very end may still be a decimal
    point, and does not count.
    """
    ends = [
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if not _ABBREVIATION.search(text[: match.end()])
        and not (open_ended and match.end() == len(text))
    ]
    return text[: ends[count - 1]].strip() if len(ends) >= count else ""


def first_whole(text: str, sentences: int) -> str:
    """What a text that may go on is done with, or an empty string while it is not.

    The tool call that it begins with, to its last bracket, for a full stop within it ends nothing;
    else its first so many sentences. A label or a number may stand before, and ends nothing either.
    """
    text = text.lstrip()
    rest = unlabelled(text)
    if rest.startswith("{"):
        whole = first_call(rest)
    else:
        whole = first_sentences(rest, sentences, open_ended=True)
    return text.removesuffix(rest) + whole if whole else ""


def unlabelled(text: str) -> str:
    """An action without the label, `Action:`, or the bullet that a model wrote before it."""
    return _BULLET.sub("", _LABEL.sub("", text))


def first_call(text: str) -> str:
    """The JSON object that `text` begins with, or an empty string where it is not whole."""
    try:
        found, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError):  # the latter where brackets stand very deep
        return ""
    return text[:end] if isinstance(found, dict) else ""


def words(text: str) -> list[str]:
    """The words of `text`, lower case, in order.

    In a script that writes no blank between words, each letter is one.
    """
    return _WORD.findall(text.lower())


def terms(text: str) -> set[str]:
    """What `text` is compared by: its words, lower case.

    In a script that writes no blank between words, every two neighbouring letters: single ones
    stand in nearly any text.
    """
    found: set[str] = set()
    for run in _RUN.finditer(text.lower()):
        told = run[0]
        pairs = run[1] and len(told) > 1
        found |= {told[at : at + 2] for at in range(len(told) - 1)} if pairs else {told}
    return found


def is_call(text: str) -> bool:
    """Whether `text` is a JSON object, as tool calls are."""
    text = text.strip(" \t\r\n")  # the blanks of JSON
    return first_call(text) == text != ""


def digest(text: str) -> str:
    """SHA-256 of the exact text, as 64 hexadecimal digits."""
    return hashlib.sha256(storable(text).encode("utf-8")).hexdigest()
