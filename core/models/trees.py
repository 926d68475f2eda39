"""Trees of text in one forward pass.

Many judgements share their beginning: one context, a few actions, many values. A tree holds each
shared piece once. Its nodes stand one after the other in a row; a mask lets every token see only
its own node's past and the nodes on the way to the root, and the position ids count along that
way. So each leaf is read exactly as if its own path had been the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of text below its parent."""

    tokens: tuple[int, ...]
    """Token ids, at least one."""
    parent: int = -1
    """Place of the parent in the tree, smaller than one's own; -1 for a root."""


Tree = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """Trees laid out in rows, ready for a causal model."""

    input_ids: Tensor
    """Token ids, int64 [rows, length]."""
    position_ids: Tensor
    """Distance from the tree's root in tokens, int64 [rows, length]."""
    mask: Tensor
    """True where a token (dim 2) may see another (dim 3), bool [rows, 1, length, length]."""
    read_at: tuple[Tensor, ...]
    """For each tree, the (row, column) of every node's last token, int64 [nodes, 2]."""

    @property
    def ends(self) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The columns that are read, [rows, most of a row], and (row, place there) of every node.

        Places that a row has to spare name its first column.
        """
        row, column = torch.cat(self.read_at).unbind(1)
        counts = torch.bincount(row, minlength=len(self.input_ids))
        order = row.argsort(stable=True)
        place = torch.empty_like(row)
        place[order] = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row[order]]
        columns = row.new_zeros((len(counts), int(counts.max())))
        columns[row, place] = column
        return columns, (row, place)

    def states(self, hidden: Tensor) -> Tensor:
        """Hidden states [rows, length, width] → [nodes of all trees in order, width]."""
        at = torch.cat(self.read_at)
        return hidden[at[:, 0], at[:, 1]]


def added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that is True where a token may see another → what to add to the scores, same shape."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(
        ~mask, torch.finfo(dtype).min
    )


def size(tree: Tree) -> int:
    """Tokens in the tree."""
    return sum(len(node.tokens) for node in tree)


def depth(tree: Tree) -> int:
    """Tokens on the longest way down from a root."""
    ends: list[int] = []
    for node in tree:
        ends.append(len(node.tokens) + (ends[node.parent] if node.parent >= 0 else 0))
    return max(ends)


def pack(trees: Sequence[Tree], row_length: int = 384) -> Packed:
    """Lay trees out in rows of at most `row_length` tokens, first fit, longest first.

    A tree longer than a row makes the rows longer; none is ever cut.

    Raises:
        ValueError: there is no tree, a node is empty, or a parent does not come before its child.
    """
    if not trees:
        raise ValueError("no tree to pack")
    bound = max(row_length, max(size(tree) for tree in trees))
    rows, room = _first_fit([size(tree) for tree in trees], bound)
    length = bound - min(room)
    ids = torch.zeros((len(rows), length), dtype=torch.long)
    positions = torch.zeros((len(rows), length), dtype=torch.long)
    mask = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)
    read_at: list[Tensor] = [torch.empty(0)] * len(trees)
    for row, members in enumerate(rows):
        start = 0
        for member in members:
            tokens, depth, visible, ends = _lay(trees[member])
            stop = start + len(tokens)
            ids[row, start:stop] = tokens
            positions[row, start:stop] = depth
            mask[row, start:stop, start:stop] = visible
            read_at[member] = torch.stack([torch.full_like(ends, row), ends + start], dim=1)
            start = stop
    return Packed(ids, positions, mask[:, None], tuple(read_at))


def _first_fit(sizes: Sequence[int], bound: int) -> tuple[list[list[int]], list[int]]:
    """Which tree goes into which row, and the room left in each."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        row = next((r for r, left in enumerate(room) if sizes[index] <= left), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(bound)
        rows[row].append(index)
        room[row] -= sizes[index]
    return rows, room


def _lay(tree: Tree) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tokens [n], positions [n], visibility [n, n] and node ends [nodes] of one tree."""
    ancestry = torch.eye(len(tree), dtype=torch.bool)
    starts: list[int] = []
    depth: list[int] = []
    for index, node in enumerate(tree):
        if not node.tokens or not -1 <= node.parent < index:
            raise ValueError(f"node {index} is empty or comes before its parent")
        above = 0
        if node.parent >= 0:
            ancestry[index] |= ancestry[node.parent]
            above = starts[node.parent] + len(tree[node.parent].tokens)
        starts.append(above)
        depth.extend(range(above, above + len(node.tokens)))
    lengths = torch.tensor([len(node.tokens) for node in tree])
    owner = torch.repeat_interleave(torch.arange(len(tree)), lengths)
    tokens = torch.tensor([token for node in tree for token in node.tokens])
    visible = ancestry[owner][:, owner].tril()
    return tokens, torch.tensor(depth), visible, lengths.cumsum(0) - 1
