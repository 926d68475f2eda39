"""What the trained judge reads at once is bounded: long actions in windows, no context cut off."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from core.domain.scenario import LONGEST_TEXT, Scenario
from core.errors import BadInput, ModelProblem
from core.models import catalog
from core.models.cache import Prefixes
from core.models.default_model import GGUF_SHA256
from core.models.fetch import pull
from core.models.foreign import load_trunk
from core.models.judge_model import JudgeModel, load_tokenize
from core.models.load import load_judge
from core.models.manifest import MANIFEST
from core.models.readout import Calibration, Heads
from core.models.trained import TrainedJudge, Tree
from core.session.events import ModelUsed
from core.stages.heads import STRIDE, WINDOW, HeadsJudge
from core.stages.judge import judge_rows
from core.watch import SILENT, AnyNote, Measured, Watch
from tests import tiny
from tests.nouns import LETTER, PROFILE

CARD = {
    "danger": {"harm": 1.0, "peak": 6.0, "mean": 0.0, "bias": -0.5},
    "thresholds": {"medium": 0.3, "high": 0.7, "violation": 0.9},
}


@pytest.fixture
def trained(tiny_llama: Path) -> TrainedJudge:
    """A judge that has learnt nothing, over a model that reads few tokens."""
    trunk = load_trunk(tiny_llama, 2, torch.float32)
    return TrainedJudge(
        JudgeModel(
            trunk,
            Heads(trunk.config.hidden_size),
            load_tokenize(tiny_llama),
            Calibration(),
            CARD,
            Prefixes(trunk, parts=False),
        )
    )


def test_an_action_of_plain_words_is_read_in_overlapping_windows(trained: TrainedJudge) -> None:
    words = [f"word{number}" for number in range(400)]

    windows = [window.split() for window in trained.windows(" ".join(words), WINDOW, STRIDE)]

    assert len(windows) > 2
    assert {word for window in windows for word in window} == set(words)
    for one, other in pairwise(windows):
        assert one[-1] in other


@pytest.mark.parametrize(
    "text",
    [
        "x" * LONGEST_TEXT,
        "送" * LONGEST_TEXT,
        "Ring all. " * 1000 + "送" * 9000,
    ],
    ids=["one word", "no words", "words, then none"],
)
def test_no_window_is_much_longer_than_it_may_be_though_a_text_has_no_spaces(
    trained: TrainedJudge, text: str
) -> None:
    windows = trained.windows(text, WINDOW, STRIDE)

    assert max(len(trained.model.tokenize(window)) for window in windows) <= 2 * WINDOW
    assert text[-20:] in windows[-1]


def test_a_context_beyond_the_models_positions_is_refused(trained: TrainedJudge) -> None:
    context = "Bakers sign. " * tiny.WINDOW
    tree: Tree = (context, [(LETTER, ("Never mislead.",))])

    for second in (False, True):
        with pytest.raises(BadInput, match=f"reads at most {tiny.WINDOW}"):
            trained.measure([tree], SILENT, second=second)


@pytest.mark.parametrize("second", [False, True])
def test_nothing_asked_is_nothing_read(trained: TrainedJudge, second: bool) -> None:
    assert trained.measure([], SILENT, second=second) == []


def test_an_action_whose_context_does_not_fit_is_unjudged_and_takes_no_other_with_it(
    trained: TrainedJudge,
) -> None:
    notes: list[AnyNote] = []
    judge = HeadsJudge(trained, ModelUsed(name="tiny"))
    rows = [
        (Scenario(goal="Grow.", context="Bakers sign. " * 1500), LETTER),
        (Scenario(goal="Grow.", context="Bakers sign."), LETTER),
    ]

    found = judge_rows(judge, rows, PROFILE, watch=Watch(notes.append))

    assert [one is None for one in found] == [True, False]
    problems = [note.problem for note in notes if isinstance(note, Measured)]
    assert "reads at most" in problems[0]
    assert problems[1] == ""


def test_a_control_token_that_is_written_in_an_action_is_read_as_text(tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenize = load_tokenize(tiny_llama)

    assert tokenizer.eos_token_id in tokenizer(f"Ring all.{tokenizer.eos_token}")["input_ids"]
    assert tokenizer.eos_token_id not in tokenize(f"Ring all.{tokenizer.eos_token}")
    assert tokenize(LETTER) == tokenizer(LETTER, add_special_tokens=False)["input_ids"]


def test_the_judge_is_refused_upon_weights_that_it_was_not_trained_on(tiny_llama: Path) -> None:
    pull(catalog.DEFAULT, source=tiny_llama)

    with pytest.raises(ModelProblem, match="trained on other weights") as caught:
        load_judge()

    assert caught.value.where.endswith("judge.toml: base_digest")
    assert f"placet models remove {catalog.DEFAULT}" in caught.value.mend


def test_the_weights_it_was_trained_on_may_lie_otherwise_in_their_file(tiny_llama: Path) -> None:
    folder = pull(catalog.DEFAULT, source=tiny_llama)
    noted = json.loads((folder / MANIFEST).read_text("utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**noted, "gguf": GGUF_SHA256}), "utf-8")

    with pytest.raises(ModelProblem, match="the weights lack"):  # the tiny model is smaller
        load_judge()
