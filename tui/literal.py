"""The one door for text that no person here wrote: drawn as it is, never read as markup."""

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.domain.text import plain


def literal(text: str, style: str = "", *, one_line: bool = False) -> Content:
    """`text` to be drawn: no markup, no control or bidirectional-override characters."""
    safe = plain(text, one_line=one_line)
    return Content.styled(safe, style) if style and safe else Content(safe)


def cut(text: str, width: int) -> str:
    """`text` on one line of exactly `width` cells, with an ellipsis where it had to be cut."""
    few = 4 * max(0, width) + 100
    safe = _flat(text[:few])  # nearly always enough, where the whole is slow to make plain
    if len(text) > few and cell_len(safe) <= width + 2:  # what follows may join the last letter
        safe = _flat(text)
    if cell_len(safe) > width:
        safe = set_cell_size(safe, max(0, width - 1)).rstrip() + "…" if width > 0 else ""
    return set_cell_size(safe, max(0, width))


def cut_start(text: str, width: int) -> str:
    """`text` on one line of at most `width` cells, with an ellipsis where its start was cut off."""
    safe = _flat(text)
    if cell_len(safe) <= width:
        return safe
    if width <= 0:
        return ""
    end = safe[-width:]
    while cell_len(end) >= width:
        end = end[1:]
    return f"…{end}"


def _flat(text: str) -> str:
    return " ".join(plain(text, one_line=True).split())
