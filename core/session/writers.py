"""How a report is written for people: as text, as Markdown or as HTML."""

import re
from collections.abc import Callable
from html import escape
from textwrap import wrap

from core.domain.diff import Change, word_diff
from core.domain.text import plain


class Writer:
    """Collects a report; every text passes `plain`, whoever wrote it."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def done(self) -> str:
        """All that was told, ending with a line break."""
        return "\n".join(self.parts).strip() + "\n"

    def title(self, text: str) -> None:
        """Tells what the report is about; in the same way there are `heading`, `line`, `quote`."""
        raise TypeError

    heading = line = quote = title

    def items(self, texts: list[str]) -> None:
        """Lists texts of a line each."""
        raise TypeError

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        """Draws scores: name, score, weight, and whether it is at stake."""
        raise TypeError

    def difference(self, before: str, after: str) -> None:
        """Marks what changed, word by word."""
        raise TypeError


class _Text(Writer):
    width = 96

    def title(self, text: str) -> None:
        text = plain(text, one_line=True)
        self.parts += [text, "=" * len(text)]

    def heading(self, text: str) -> None:
        text = plain(text, one_line=True)
        self.parts += ["", text, "-" * len(text)]

    def line(self, text: str) -> None:
        self.parts += _wrapped(plain(text), "", self.width)

    def quote(self, text: str) -> None:
        self.parts += _wrapped(plain(text), "  | ", self.width)

    def items(self, texts: list[str]) -> None:
        for text in texts:
            lines = _wrapped(plain(text, one_line=True), "    ", self.width)
            self.parts += ["  - " + lines[0][4:], *lines[1:]]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        longest = max(len(name) for name, *_ in rows)
        for name, score, weight, at_stake in rows:
            bar = "█" * round(score * 20) + "·" * (20 - round(score * 20))
            mark = "  at stake" if at_stake else ""
            self.parts.append(f"    {name:<{longest}}  {bar} {score:.2f} × {weight:.1f}{mark}")

    def difference(self, before: str, after: str) -> None:
        marks = {Change.SAME: "{}", Change.REMOVED: "[-{}-]", Change.ADDED: "{{+{}+}}"}
        self.line("Difference: " + _marked(before, after, marks))


_TAGS = {Change.SAME: "{}", Change.REMOVED: "<del>{}</del>", Change.ADDED: "<ins>{}</ins>"}


class _Markdown(Writer):
    def title(self, text: str) -> None:
        self.parts += [f"# {_md(text)}", ""]

    def heading(self, text: str) -> None:
        self.parts += ["", f"## {_md(text)}", ""]

    def line(self, text: str) -> None:
        self.parts += [_md_line(text), ""]

    def quote(self, text: str) -> None:
        self.parts += [*(f"> {_md_line(line)}" for line in plain(text).split("\n")), ""]

    def items(self, texts: list[str]) -> None:
        self.parts += [f"- {_md_line(text)}" for text in texts]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        self.parts += ["| value | respected | weight | |", "|---|---:|---:|---|"]
        self.parts += [
            f"| {_md(name)} | {score:.2f} | {weight:.1f} | {'at stake' if at_stake else ''} |"
            for name, score, weight, at_stake in rows
        ]
        self.parts.append("")

    def difference(self, before: str, after: str) -> None:
        self.parts += [f"Difference: {_marked(before, after, _TAGS, _md)}", ""]


class _Html(Writer):
    style = (
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;"
        "margin:2rem auto;padding:0 1rem}blockquote{border-left:.25rem solid #888;margin:.5rem 0;"
        "padding:.1rem 1rem}table{border-collapse:collapse}td,th{padding:.1rem .8rem;"
        "text-align:left}meter{width:10rem}del{background:#f4433633}ins{background:#4caf5033}"
    )

    def done(self) -> str:
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>Placet</title><style>{self.style}</style></head><body>"
        )
        return "\n".join([head, *self.parts, "</body></html>"]) + "\n"

    def title(self, text: str) -> None:
        self.parts.append(f"<h1>{_html(text)}</h1>")

    def heading(self, text: str) -> None:
        self.parts.append(f"<h2>{_html(text)}</h2>")

    def line(self, text: str) -> None:
        self.parts.append(f"<p>{_html(text)}</p>")

    def quote(self, text: str) -> None:
        self.parts.append(f"<blockquote>{_html(text)}</blockquote>")

    def items(self, texts: list[str]) -> None:
        self.parts += ["<ul>", *(f"<li>{_html(text)}</li>" for text in texts), "</ul>"]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        self.parts.append(
            "<table><tr><th>value</th><th>respected</th><th></th><th>weight</th><th></th></tr>"
        )
        self.parts += [
            f'<tr><td>{_html(name)}</td><td><meter value="{score:.2f}" low=".5"></meter></td>'
            f"<td>{score:.2f}</td><td>× {weight:.1f}</td>"
            f"<td>{'at stake' if at_stake else ''}</td></tr>"
            for name, score, weight, at_stake in rows
        ]
        self.parts.append("</table>")

    def difference(self, before: str, after: str) -> None:
        self.parts.append(f"<p>Difference: {_marked(before, after, _TAGS, _html)}</p>")


def _marked(
    before: str, after: str, marks: dict[Change, str], quote: Callable[[str], str] = str
) -> str:
    return "".join(
        (marks[change] if text.strip() else "{}").format(quote(text))
        for change, text in word_diff(before, after)
    )


def _md(text: str) -> str:
    text = plain(text, one_line=True)
    return "".join("\\" + char if char in "\\`*_{}[]<>#|~&" else char for char in text)


def _md_line(text: str) -> str:
    """As `_md`, at the start of a line, where blanks, a sign or a number make a block."""
    return re.sub(r"^(\d+(?=[.)](?: |$))|(?=[-+=:]))", r"\1\\", _md(text).lstrip(" "))


def _html(text: str) -> str:
    return escape(plain(text)).replace("\n", "<br>")


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    lines = []
    for line in text.split("\n"):
        lines += wrap(
            line, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        ) or [indent.rstrip()]
    return lines


WRITERS: dict[str, type[Writer]] = {"text": _Text, "markdown": _Markdown, "html": _Html}
"""By the name of the format."""
