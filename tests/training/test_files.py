"""Files of a training that cannot be read or written: each is named, with the mend."""

from pathlib import Path

import pytest
import torch

from core.errors import BadInput, PlacetError
from core.training import questions
from core.training.data import Label, training_stories
from core.training.labelled import read_labelled

pytest.importorskip("peft")

from core.training.adapted import save_whole


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (None, ""),
        ("{}\n", ", line 1: id"),
        ('{"id": "a"}\n', ", line 1: norm"),
        ("\n[1, 2]\n", ", line 2"),
        ("{\n", ", line 1"),
    ],
)
def test_a_data_set_that_cannot_be_read_is_named_with_line_and_field(
    tmp_path: Path, text: str | None, place: str
) -> None:
    file = tmp_path / "moral_stories.train.jsonl"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        training_stories(tmp_path)
    assert caught.value.where == f"{file}{place}"
    assert text is not None or "Check the name" in caught.value.mend


def test_a_question_without_its_text_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / questions.DEVELOPMENT).write_text('{"norm": "one"}\n', "utf-8")
    asked = tmp_path / questions.ASKED
    asked.write_text('{"question": "A?", "answer": "a", "norm": "two"}\n{"norm": "one"}\n', "utf-8")

    with pytest.raises(BadInput) as caught:
        questions.read_questions(tmp_path)

    assert caught.value.where == f"{asked}, line 2: question"


def test_a_disk_that_is_full_is_told_of_and_the_old_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_whole(path, {"step": 1})

    def full(*_: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data.pkl: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(PlacetError, match=r"it cannot be written \(.*file write failed"):
        save_whole(path, {"step": 2})
    assert torch.load(path, weights_only=True) == {"step": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.toml", "situations = 3"),
        ("rows.toml", "rank = 3"),
        ("rows.toml", "situations = []"),
        ("rows.jsonl", ""),
        ("rows.jsonl", '{"value": "v", "action": "a", "label": Infinity}'),
        ("rows.jsonl", '{"value": "v", "action": "a", "label": 0.7}'),
        ("rows.jsonl", '{"value": "v", "action": "a", "label": null}'),
        ("rows.jsonl", '{"value": "v", "action": "a", "label": 1, "harm": 1%s}' % ("0" * 400)),
        ("rows.jsonl", "[" * 100_000),
        ("rows.jsonl", "7"),
    ],
)
def test_labelled_rows_that_make_no_sense_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        read_labelled(tmp_path / name)
    assert caught.value.where.startswith(str(tmp_path / name))


@pytest.mark.parametrize("label", ['"keeps"', '"KEEPS"', "1", "1.0", '"1"', "true"])
def test_a_label_may_be_a_word_or_a_number(tmp_path: Path, label: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"value": "v", "action": "a", "label": {label}}}', "utf-8")

    [(_, _, case)] = read_labelled(path)

    assert case.acts[0].questions[0].label is Label.KEEPS
