"""A packed tree is read exactly as if each of its paths had been a text of its own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.models.cache import Prefixes
from core.models.foreign import load_trunk
from core.models.fused import READ_FROM
from core.models.judge_model import states
from core.models.llama import load_llama, runs_here
from core.models.readout import Order, ask
from core.models.trees import Node, Tree, pack, size
from tests import tiny


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny.llama(tmp_path_factory.mktemp("trees") / "llama", chat=False)
    return load_trunk(folder, 2, torch.float32)


FAMILY: Tree = (
    Node((5, 6, 7)),
    Node((8, 9), parent=0),
    Node((10, 11, 12), parent=1),
    Node((13,), parent=1),
    Node((14, 15), parent=0),
)


def path(tree: Tree, index: int) -> tuple[int, ...]:
    node = tree[index]
    return (path(tree, node.parent) if node.parent >= 0 else ()) + node.tokens


def test_every_node_is_read_as_if_its_path_stood_alone(trunk: Any) -> None:
    other: Tree = (Node((20, 21, 22, 23)), Node((24,), parent=0))
    with torch.inference_mode():
        found = states(trunk, pack([FAMILY, other], row_length=12))
        alone = [
            states(trunk, pack([(Node(path(tree, i)),)]))[0]
            for tree in (FAMILY, other)
            for i in range(len(tree))
        ]
    torch.testing.assert_close(found, torch.stack(alone), atol=1e-5, rtol=1e-4)


def test_a_tree_longer_than_a_row_is_not_cut() -> None:
    packed = pack([FAMILY, (Node((1,)),)], row_length=4)
    assert packed.input_ids.shape[1] == size(FAMILY)


def test_trees_share_rows_while_there_is_room() -> None:
    packed = pack([(Node((1, 2)),), (Node((3, 4)),), (Node((5, 6)),)], row_length=4)
    assert packed.input_ids.shape == (2, 4)


@pytest.mark.parametrize("tree", [(Node(()),), (Node((1,), parent=0),), (Node((1,), parent=-2),)])
def test_a_tree_that_is_none_is_refused(tree: Tree) -> None:
    with pytest.raises(ValueError, match="node 0"):
        pack([tree])


def test_nothing_to_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="no tree"):
        pack([])


@pytest.mark.parametrize("row_length", [8, 64], ids=["written", "read"])
@pytest.mark.parametrize("shared", [0, 5])
@torch.inference_mode()
def test_our_own_layers_give_every_end_as_transformers_do(
    tmp_path: Path, row_length: int, shared: int
) -> None:
    """The last layer is computed for ends only, and these stand as many in a row as they like."""
    folder = tiny.llama(tmp_path)
    shape = runs_here(folder, "cpu", torch.float32, 2)
    assert shape is not None
    own = load_llama(folder, shape, None, torch.float32, 2)
    theirs = load_trunk(folder, 2, torch.float32)
    trees: list[Tree] = [
        (Node((3, 5, 7)), Node((4, 6), 0), Node((8, 2, 5), 0)),
        (Node((9, 11)),),
        (Node((3,)), Node((5, 6, 7), 0)),
        (Node((12, 8, 9, 4, 4)),),
    ]
    packed = pack(trees, row_length)
    found = []
    for model in (own, theirs):
        before = Prefixes(model).layers(tuple(range(20, 20 + shared))) if shared else ()
        found.append(states(model, packed, before))

    assert (packed.input_ids.shape[1] >= READ_FROM) == (row_length == 64)
    assert found[0].shape == (7, 32)
    assert torch.allclose(found[0], found[1], atol=1e-4)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=8))
def test_the_ends_of_all_rows_are_found(texts: list[list[int]]) -> None:
    packed = pack([(Node(tuple(text)), Node((9,), 0)) for text in texts], row_length=16)
    columns, (row, place) = packed.ends

    at = torch.stack([row, columns[row, place]], dim=1)
    assert torch.equal(at, torch.cat(packed.read_at))
    assert columns.shape == (len(packed.input_ids), int(torch.bincount(row).max()))


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=8))
def test_every_read_out_is_the_nodes_last_token(texts: list[list[int]]) -> None:
    trees: list[Tree] = [(Node(tuple(text)),) for text in texts]
    packed = pack(trees, row_length=8)
    for text, at in zip(texts, packed.read_at, strict=True):
        row, column = at[0].tolist()
        assert packed.input_ids[row, column] == text[-1]
        assert packed.position_ids[row, column] == len(text) - 1
        assert int(packed.mask[row, 0, column].sum()) == len(text)


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def said(tree: Tree, index: int) -> str:
    return "".join(chr(token) for token in path(tree, index))


def test_actions_share_the_context_and_each_has_its_own_values() -> None:
    asked = ask(
        letters, "A bank.", ["Ring.", "Write."], [["Never ring.", "Be kind."], ["Be kind."]]
    )
    assert said(asked.tree, asked.actions[1]) == "Context: A bank.\nAction: Write.\n"
    assert said(asked.tree, asked.values[0][1]).endswith("Ring.\nValue: Be kind.\nRespected:")
    assert len(asked.tree) == 1 + 2 + 3


def test_without_a_context_the_actions_are_roots() -> None:
    asked = ask(letters, " ", ["Ring."], [["Be kind."]], Order.ACTION_FIRST, "Rule")
    assert said(asked.tree, asked.values[0][0]) == "Action: Ring.\nRule: Be kind.\nRespected:"


def test_in_the_other_order_harm_is_read_after_the_context() -> None:
    asked = ask(letters, "A bank.", ["Ring."], [["Be kind."]], Order.ACTION_FIRST)
    assert said(asked.tree, asked.actions[0]) == "Action: Ring.\nContext: A bank.\n"


def test_more_layers_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no 9 layers") as caught:
        load_trunk(tiny.llama(tmp_path), 9, torch.float32)
    assert caught.value.where == "depth"
