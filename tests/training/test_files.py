"""Files of a training that cannot be read or written: each is named, with the mend."""

import json
from dataclasses import replace
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
        ("rows.jsonl", "[]"),
        ("rows.toml", "a = " + "[" * 5_000),
    ],
)
def test_labelled_rows_that_make_no_sense_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        read_labelled(tmp_path / name)
    assert caught.value.where.startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("action", None),
        ("action", ""),
        ("action", " "),
        ("action", {"tool": "ring"}),
        ("action", "\ud800"),
        ("value", 7),
        ("value", "v" * 601),
        ("context", 3),
        ("context", "c" * 20_001),
        ("context", "\ud800"),
        ("domain", 5),
        ("group", 0.5),
        ("group", " "),
        ("group", "\ud800"),
        ("harm", -3),
        ("harm", 7),
        ("harm", float("nan")),
    ],
)
def test_a_labelled_row_with_a_field_that_cannot_be_measured_is_named_with_it(
    tmp_path: Path, field: str, told: object
) -> None:
    good = {"value": "v", "action": "a", "label": 1}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(good) + "\n\n" + json.dumps(good | {field: told}), "utf-8")
    with pytest.raises(BadInput) as caught:
        read_labelled(path)
    assert caught.value.where == f"{path}, line 3: {field}"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("id", "id = 5"),
        ("domain", "domain = 5"),
        ("context", "context = 3"),
        ("values", "values = {}"),
        ("values: a", "values = {a = 5}"),
        ("values: a", 'values = {a = ""}'),
        ("actions", "actions = []"),
        ("actions[0]: text", 'actions = [{text = 5, labels = {a = "keeps"}, harm = "none"}]'),
        ("actions[0]: labels", 'actions = [{text = "Go.", labels = {}, harm = "none"}]'),
        ("", 'actions = [{text = "Go.", labels = {a = "maybe"}, harm = "none"}]'),
        ("", 'values = ["A."]'),
    ],
)
def test_a_situation_that_cannot_be_measured_is_named_with_the_field(
    tmp_path: Path, field: str, told: str
) -> None:
    lines = [
        'id = "x"',
        'domain = "d"',
        'context = ""',
        'values = {a = "A."}',
        'actions = [{text = "Go.", labels = {a = "keeps"}, harm = "none"}]',
    ]
    key = told.partition(" ")[0]
    lines = [told if line.startswith(key) else line for line in lines]
    path = tmp_path / "rows.toml"
    path.write_text("\n".join(["[[situations]]", *lines]), "utf-8")
    with pytest.raises(BadInput) as caught:
        read_labelled(path)
    name = "situations[0]" if key == "id" else "x"
    assert caught.value.where == f"{path}: {name}" + (f": {field}" if field else "")


def test_lines_about_one_action_make_one_case(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"group": 1, "action": "a", "value": "v", "label": 1},
        {"group": 1, "action": "b", "value": "v", "label": 0, "domain": None},
        {"group": 1, "action": "a", "value": "w", "label": 0, "harm": 0.2},
        {"action": "a", "value": "w", "label": 0},
        {"id": 0, "norm": "n", "moral_action": "m", "immoral_action": "i"},
        {"group": "", "id": "x", "action": "a", "value": "v", "label": 1, "domain": ""},
        {"group": "", "id": "", "action": "a", "value": "v", "label": 1},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    found = read_labelled(path)

    told = [
        (group, act.text, [q.value for q in act.questions], act.harm)
        for group, domain, case in found
        for act in case.acts
        if not domain
    ]
    assert told == [
        ("1", "a", ["v", "w"], 0.2),
        ("1", "b", ["v"], None),
        ("line 4", "a", ["w"], None),
        ("0", "m", ["n"], None),
        ("0", "i", ["n"], None),
        ("x", "a", ["v"], None),
        ("line 7", "a", ["v"], None),
    ]
    assert read_labelled(path, 2) == [
        ("1", "", replace(case, acts=(replace(act, questions=act.questions[:1], harm=None),)))
        for _, _, case in found[:2]
        for act in case.acts
    ]


@pytest.mark.parametrize("field", ["domain", "harm"])
def test_lines_that_say_two_things_of_one_action_are_refused(tmp_path: Path, field: str) -> None:
    good = {"group": "g", "action": "a", "value": "v", "label": 1, "domain": "none", "harm": "none"}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps(good | {field: "serious"}), "utf-8")
    with pytest.raises(BadInput, match=f"another {field}") as caught:
        read_labelled(path)
    assert caught.value.where == f"{path}, line 2: {field}"


@pytest.mark.parametrize("label", ['"keeps"', '"KEEPS"', "1", "1.0", '"1"', "true"])
def test_a_label_may_be_a_word_or_a_number(tmp_path: Path, label: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"value": "v", "action": "a", "label": {label}}}', "utf-8")

    [(_, _, case)] = read_labelled(path)

    assert case.acts[0].questions[0].label is Label.KEEPS
