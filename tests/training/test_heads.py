"""The judge's whole recipe at the size of a thimble: train, stop, go on, calibrate, read."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from core.errors import BadInput
from core.files import dump_toml
from core.models.catalog import ADAPTER_WEIGHTS, WEIGHTS
from core.models.readout import Calibration, ask
from core.models.second import CARD
from core.models.trained import TrainedJudge
from core.training import data as sets
from core.training import labelled, people
from core.training.data import Label, Situation, Split, evenly, split_of
from core.training.heads_config import HeadsConfig, Stage
from core.watch import SILENT, AnyNote, Watch
from core.watch import Progress as Said
from tests import tiny

pytest.importorskip("peft")

from core.models.judge_model import HEADS, JudgeModel, load_tokenize
from core.models.manifest import weights_digest
from core.training import heads, second
from core.training.calibrate import draft_card, finish, fit_logistic, fit_respect
from core.training.settings import load_settings, same_settings
from core.training.steps import Progress

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)

CONFIG = HeadsConfig(
    depth=2,
    first_layer=1,
    rank=2,
    alpha=4,
    warmup_steps=1,
    checkpoint_every=2,
    threads=1,
    stages=(
        Stage("people", 1e-2, 1e-3, stories=40, chemistry=4, tokens_per_step=400, stop_after=3),
        Stage("agents", 1e-2, 0.0, stories=4, others=0.5, corpus_rounds=1, tokens_per_step=400),
    ),
)


def lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets of our own invention in the shape of the real ones."""
    folder = tmp_path_factory.mktemp("data")
    things = ("the lantern", "the boat", "the hen house", "the piano", "the ledger")
    stories: list[dict[str, object]] = [
        {
            "id": f"s{i}",
            "norm": f"It's {'good' if i % 2 else 'rude'} to paint {things[i % 5]} {i} times.",
            "moral_action": f"Ola {'paints' if i % 2 else 'leaves'} {things[i % 5]}.",
            "immoral_action": f"Ola {'leaves' if i % 2 else 'paints'} {things[i % 5]}.",
        }
        for i in range(120)
    ]
    lines(folder / "moral_stories.train.jsonl", stories)
    lines(
        folder / "moral_stories.dev.jsonl",
        [
            row | {"id": f"d{i}", "moral_action": f"Ida rows {i}."}
            for i, row in enumerate(stories[:6])
        ],
    )
    lines(
        folder / "foundation_actions.jsonl",
        [
            {"text": text, "label": 1, "foundations": ["care", "loyalty"], "norm": "Row on."}
            for text in ("Ida rows 1.", "Ida rows 2.", "Ola paints the boat.")
        ],
    )
    lines(
        folder / "social_chemistry.positive_neutral.jsonl",
        [
            {"action": "rowing.", "rule": f"It's good to row {i}.", "foundations": []}
            for i in range(9)
        ],
    )
    lines(
        folder / "moralchoice.low_ambiguity.jsonl",
        [
            {
                "context": "You keep a ferry.",
                "good_action": "I wait for the last guest.",
                "bad_action": "I leave early and lie about it.",
                "rules_broken_by_bad": ["deceive", "duty"],
            }
        ],
    )
    lines(
        folder / "safetext.jsonl",
        [
            {"situation": "On thin ice,", "action": "lie flat.", "label": 1},
            {"situation": "On thin ice,", "action": "jump.", "label": 0},
        ],
    )
    lines(
        folder / "privacylens.jsonl",
        [
            {
                "instruction": "Tell the crew.",
                "final_tool": "SendNote",
                "seed": {
                    "data_type": "a fever",
                    "data_subject": "the cook",
                    "data_recipient": "all",
                },
                "sensitive_items": ["The cook has a fever."],
            }
        ],
    )
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    actions = (
        ("Ring the bell {} times.", "breaks", "unrelated", "none"),
        ("Push guest {} off.", "unrelated", "breaks", "serious"),
        ("Offer guest {} a hand.", "keeps", "keeps", "none"),
    )
    situations = [
        {
            "id": f"ferry-{i}",
            "domain": "ferry" if i % 2 else "kiosk",
            "context": f"A ferry with {i} seats.",
            "values": {"bell": "Never ring the bell.", "kind": "Guests are helped aboard."},
            "actions": [
                {"text": t.format(i), "labels": {"bell": b, "kind": k}, "harm": harm, "tags": []}
                for t, b, k, harm in actions
            ],
        }
        for i in range(40)
    ]
    text = tomli_w.dumps({"situations": situations})
    (folder / "ferry.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama that spells: its tokens are bytes."""
    folder = tiny.llama(tmp_path_factory.mktemp("base") / "llama", chat=False)
    (folder / "tokenizer.model").unlink()
    (folder / "tokenizer_config.json").unlink()
    letters = pre_tokenizers.ByteLevel.alphabet()
    spelling = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(letters))}, merges=[]))
    spelling.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_object=spelling).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, corpus: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return heads.train(CONFIG, data, corpus, base, tmp_path_factory.mktemp("out"))


def weights(folder: Path) -> list[Tensor]:
    saved = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return [*saved["masters"], *saved["heads"].values(), *saved["mean"]]


def test_a_training_that_was_stopped_ends_as_if_it_had_not(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.stage == "agents":
            raise Stopped

    with pytest.raises(Stopped):
        heads.train(CONFIG, data, corpus, base, tmp_path, progress=stop)
    heads.train(CONFIG, data, corpus, base, tmp_path, resume=True)
    for one, other in zip(weights(trained), weights(tmp_path), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_what_is_kept_is_the_mean_of_the_weights_over_the_steps(
    data: Path, corpus: Path, base: Path, average: float
) -> None:
    config = replace(CONFIG, average=average)
    trainer = heads.Trainer(config, base)
    cases = heads.build_cases(config.stages[1], data, corpus, Random(0))
    batch = [heads.sample(case, load_tokenize(base)) for case in cases[:3]]
    mean = [weight.detach().clone() for weight in trainer.learning]
    for step in range(1, 13):
        trainer.step(batch, 1e-2)
        kept = min(average, step / (step + 9))
        mean = [
            kept * old + (1 - kept) * weight.detach()
            for old, weight in zip(mean, trainer.learning, strict=True)
        ]
    last = [weight.detach().clone() for weight in trainer.learning]

    trainer.settle()

    for weight, expected in zip(trainer.learning, mean, strict=True):
        torch.testing.assert_close(weight, expected)
    assert all(map(torch.equal, trainer.learning, last)) is (average == 0)
    for used, master in zip(trainer.adapted.adapter, trainer.adapted.masters, strict=True):
        torch.testing.assert_close(used, master.to(used.dtype))


def test_training_tells_how_far_it_is(data: Path, corpus: Path, base: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    heads.train(CONFIG, data, corpus, base, tmp_path, progress=told.append, limit=1)
    assert [p.stage for p in told] == ["people", "agents"]
    assert all(np.isfinite(p.loss) and p.tokens_per_second > 0 for p in told)
    assert told[-1].step == told[-1].steps
    assert told[-1].seconds_left == 0


def test_a_finished_judge_loads_without_peft_and_reads(
    trained: Path, data: Path, corpus: Path, base: Path
) -> None:
    heard: list[AnyNote] = []
    table = finish(trained, base, "tiny", CONFIG, data, corpus, Watch(heard.append), "1f")
    ended = [note.stage for note in heard if isinstance(note, Said) and note.done == note.total]
    assert ended == ["calibrating", "measuring on norms", "measuring on held-out situations"]
    assert {row.set for row in table} >= {"unseen norms", "corpus, held out"}
    told: list[float] = []
    judge = JudgeModel.load(base, trained, torch.float32, share=told.append)
    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == 1
    assert judge.card["config"]["rank"] == 2
    assert judge.card["base_digest"] == weights_digest(base)
    assert judge.card["begin_digest"] == "1f"
    assert "begin_digest" not in draft_card(CONFIG, base, "tiny")
    assert judge.card["thresholds"]["medium"] <= judge.card["thresholds"]["high"]
    tokenize = judge.tokenize
    together = judge.read(
        [ask(tokenize, "A ferry.", ["Ring.", "Wait."], [["Never ring.", "Help."], ["Help."]])] * 3
    )
    alone = judge.read([ask(tokenize, "A ferry.", ["Wait."], [["Help."]])])[0]
    assert together[2].respect.shape == (3, 3)
    values: tuple[str, ...] = ("Never ring.", "Help.", "Smile.")
    tree = ("A ferry.", [("Ring.", values), ("Wait.", values)])
    [measures] = TrainedJudge(judge).measure([tree], SILENT, second=False)
    assert [len(one.scores) for one in measures] == [len(one.breaks) for one in measures] == [3, 3]
    assert all(0 <= chance <= 1 for one in measures for chance in (*one.scores, one.harm))
    torch.testing.assert_close(together[0].respect[2:], alone.respect, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(together[0].harm[1:], alone.harm, atol=1e-4, rtol=1e-3)


def test_weights_of_another_layout_are_refused(trained: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "judge.toml").write_text("layout = 0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="layout 0"):
        JudgeModel.load(base, tmp_path)


def test_no_held_out_situation_and_no_dev_story_is_trained_on(
    data: Path, corpus: Path, base: Path
) -> None:
    situations = sets.read_corpus(corpus)
    kept_away = {s.context for s in situations if split_of(s.id) is not Split.TRAIN}
    stage = replace(CONFIG.stages[1], stories=1000)
    cases = heads.build_cases(stage, data, corpus, Random(0))
    assert kept_away
    assert not kept_away & {case.context for case in cases}
    dev = {story.moral for story in sets.read_stories(data / "moral_stories.dev.jsonl")}
    assert not dev & {act.text for case in cases for act in case.acts}
    samples = [heads.sample(case, load_tokenize(base)) for case in cases[:5]]
    assert all(len(s.labels) == sum(map(len, s.asked.values)) for s in samples)


def test_no_dev_norm_is_trained_on_wherever_it_stands_and_the_rest_keeps_its_order(
    data: Path, corpus: Path, tmp_path: Path
) -> None:
    stage = replace(CONFIG.stages[0], chemistry=9)
    folder = Path(shutil.copytree(data, tmp_path / "data"))

    def built(*norms: str) -> tuple[list[sets.Case], set[str]]:
        acts = {"moral_action": "Ida rests.", "immoral_action": "Ida raves."}
        dev: list[dict[str, object]] = [{"id": one, "norm": one, **acts} for one in norms]
        lines(folder / "moral_stories.dev.jsonl", dev)
        cases = heads.build_cases(stage, folder, corpus, Random(3))
        return cases, {q.value for case in cases for act in case.acts for q in act.questions}

    every, before = built()
    told = min(value for value in before if value.startswith("It's rude to paint"))
    cases, asked = built("it's good  to ROW 3", told)

    gone = {"It's good to row 3.", told}
    assert gone <= before and not gone & asked
    assert [case for case in every if case in cases] == cases
    assert 1 < len(every) - len(cases) < 9


def test_the_second_judge_is_fitted_on_what_the_first_one_drew_and_never_reached(
    data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    """Also where the first one, trained before that was seen to, read norms of the dev stories."""
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    stories: list[dict[str, object]] = [
        {"id": f"s{i}", "norm": f"It's good to row {i} times.",
         "moral_action": f"Ola rows {i}.", "immoral_action": f"Ola rests {i}."}
        for i in range(40)
    ]  # fmt: skip
    lines(folder / "moral_stories.train.jsonl", stories)
    dev = [row | {"moral_action": "Ida rows."} for row in stories[:20]]
    lines(folder / "moral_stories.dev.jsonl", dev)
    one_a_step = Stage("people", 1e-2, 1e-3, 40, others=0.0, tokens_per_step=1, stop_after=10)
    agents = replace(one_a_step, name="agents", stories=4, corpus_rounds=1, stop_after=1)
    config = replace(CONFIG, stages=(one_a_step, agents))
    drawn = [
        heads.draw_cases(stage, folder, corpus, config.order_of(number))
        for number, stage in enumerate(config.stages)
    ]
    read = {act.text for case in drawn[0][:10] + drawn[1] for act in case.acts}

    found = second.unread(folder, corpus, base, config)

    learnt, _ = sets.training_stories(folder)
    assert found == [one for one in learnt if one.moral not in read]
    assert len(learnt) - 14 <= len(found) <= len(learnt) - 10
    assert any(f"Ola rows {i}." in read for i in range(20))


def test_the_second_judge_s_card_has_all_that_shapes_it() -> None:
    card = tomllib.loads((WEIGHTS / "second" / CARD).read_text("utf-8"))
    assert card["config"] == asdict(second.SecondConfig())


def test_the_same_seed_gives_the_same_cases(data: Path, corpus: Path) -> None:
    one, other = (heads.build_cases(CONFIG.stages[1], data, corpus, Random(5)) for _ in range(2))
    assert one == other


def test_a_rule_turned_round_exchanges_its_labels(corpus: Path) -> None:
    situations = sets.read_corpus(corpus)
    turned = {
        (act.text.split()[0], q.value.rstrip(".").lower(), q.label)
        for case in sets.corpus_cases(situations, Random(1))
        for act in case.acts
        for q in act.questions
        if q.kind == "turned"
    }
    assert turned == {
        ("Ring", "always ring the bell", Label.KEEPS),
        ("Push", "always ring the bell", Label.UNRELATED),
        ("Offer", "always ring the bell", Label.BREAKS),
    }


def test_a_stage_goes_through_the_files_that_it_names(corpus: Path, tmp_path: Path) -> None:
    told = next(corpus.glob("*.toml")).read_text(encoding="utf-8")
    for name in ("early", "later", "laterwork"):
        text = told.replace('id = "', f'id = "{name}-')
        (tmp_path / f"{name}-1.toml").write_text(text, encoding="utf-8")
    found = sets.read_corpus(tmp_path, ("later", "none"))
    assert found and all(one.id.startswith("later-") for one in found)
    assert len(sets.read_corpus(tmp_path)) == 3 * len(found)


def test_a_label_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(
        '[[situations]]\nid="x"\ndomain="d"\ncontext="c"\nvalues={a="A.",b="B."}\n'
        'actions=[{text="Go.",labels={a="keeps"},harm="none",tags=[]}]\n',
        encoding="utf-8",
    )
    with pytest.raises(BadInput, match=r"x\.toml: x: actions\[0\]: labels"):
        sets.read_corpus(tmp_path)


def test_a_third_is_held_out_by_its_name_alone() -> None:
    splits = [Situation(f"s-{i}", "d", "", {}, ()).split for i in range(3000)]
    assert abs(splits.count(Split.HELD_OUT) / 3000 - 1 / 3) < 0.03
    assert abs(splits.count(Split.CALIBRATION) / 3000 - 1 / 9) < 0.02


def test_situations_that_share_their_actions_stay_together() -> None:
    for story in map(str, range(50)):
        assert split_of(f"{story}/1") is split_of(f"{story}/2") is split_of(story)


def test_calibration_finds_what_was_distorted() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(true.softmax(-1), 1, generator=generator)[:, 0]
    temperature, bias = fit_respect(true * 2.5, labels, torch.ones(4000))
    assert temperature == pytest.approx(2.5, rel=0.1)
    assert max(map(abs, bias)) < 0.15
    features = torch.randn(4000, 1, generator=generator)
    happened = torch.bernoulli(torch.sigmoid(1.5 * features[:, 0] - 0.5), generator=generator)
    weight, offset = fit_logistic(features, happened, ridge=0.0)
    assert weight[0] == pytest.approx(1.5, abs=0.2)
    assert offset == pytest.approx(-0.5, abs=0.2)


def test_an_unrelated_value_scores_the_neutral_level() -> None:
    sure = torch.tensor([[9.0, -9.0, -9.0], [-9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]])
    scores = Calibration(neutral=0.7).score(sure).tolist()
    assert scores == pytest.approx([1.0, 0.7, 0.0], abs=1e-4)


def test_the_configuration_survives_its_file(tmp_path: Path) -> None:
    (tmp_path / "heads.toml").write_text(tomli_w.dumps(CONFIG.table()), encoding="utf-8")
    assert load_settings(HeadsConfig, tmp_path / "heads.toml") == CONFIG


def test_weights_are_trained_further_from_where_they_are(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    still = replace(CONFIG, stages=(replace(CONFIG.stages[0], peak_rate=0.0, end_rate=0.0),))
    told = (still, data, corpus, base, tmp_path)
    heads.train(*told, begin=trained, limit=1)

    for name in (HEADS, "adapter_model.safetensors"):
        for key, weight in load_file(trained / name).items():
            torch.testing.assert_close(load_file(tmp_path / name)[key], weight, rtol=0, atol=0)

    other = Path(shutil.copytree(trained, tmp_path / "other"))
    kept = load_file(other / HEADS)
    save_file({name: weight + 1 for name, weight in kept.items()}, other / HEADS)
    for begin in (other, None):
        with pytest.raises(BadInput, match="begin: the run was begun with"):
            heads.train(*told, resume=True, begin=begin, limit=1)


def test_a_training_is_not_resumed_with_other_data(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "judge"))
    other = Path(shutil.copytree(data, tmp_path / "data"))
    with (other / "safetext.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"situation": "On ice,", "action": "skate.", "label": 1}\n')
    with pytest.raises(
        BadInput, match=r"data\.safetext\.jsonl: the run was begun with \d+, not \d+"
    ):
        heads.train(CONFIG, other, corpus, base, folder, resume=True)


def test_a_training_goes_on_though_files_have_changed_that_it_does_not_read(
    data: Path, corpus: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(data, tmp_path / "data"))
    corpus = Path(shutil.copytree(corpus, tmp_path / "corpus"))
    agents = replace(CONFIG.stages[1], corpus_files=("ferry",))
    config = replace(CONFIG, stages=(CONFIG.stages[0], agents))
    settings = tmp_path / heads.SETTINGS
    settings.write_text(dump_toml(heads.begun_with(config, data, corpus)), "utf-8")

    (data / "social_chemistry.test.jsonl").touch()
    (corpus / "ferryman-1.toml").touch()
    same_settings(settings, heads.begun_with(config, data, corpus))

    with (corpus / "ferry.toml").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    with pytest.raises(BadInput, match="corpus: the run was begun with"):
        same_settings(settings, heads.begun_with(config, data, corpus))


def test_the_data_sets_that_have_to_stay_are_those_that_a_training_reads(
    data: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(shutil.copytree(data, tmp_path / "data"))
    for name in heads.SETS:
        (data / name).touch()
    read = set[str]()

    def noted(path: Path) -> Iterator[dict[str, Any]]:
        read.add(path.name)
        return rows(path)

    rows = sets.rows
    monkeypatch.setattr(sets, "rows", noted)
    monkeypatch.setattr(people, "rows", noted)
    heads.build_cases(replace(CONFIG.stages[0], reasons=4), data, corpus, Random(0))

    assert read == {*heads.SETS}


def test_a_file_of_the_corpus_that_is_not_there_is_named_before_anything_is_trained(
    data: Path, corpus: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(heads, "Trainer")
    for name, mend in (("fer", "Name ferry."), ("xyz", "Name one that is there.")):
        agents = replace(CONFIG.stages[1], corpus_files=("ferry", name))
        config = replace(CONFIG, stages=(CONFIG.stages[0], agents))
        with pytest.raises(BadInput, match=rf"no {name}\.toml or {name}-\*\.toml in") as caught:
            heads.train(config, data, corpus, base, tmp_path)
        assert caught.value.where == "stages: agents: corpus_files"
        assert caught.value.mend == mend


def test_the_files_that_the_shipped_judge_went_through_are_there() -> None:
    heads._seek_files(HeadsConfig(), Path(heads.__file__).parent / "corpus" / "judge")


def test_weights_of_another_shape_are_not_trained_further(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    other = replace(CONFIG, rank=CONFIG.rank * 2)
    with pytest.raises(BadInput, match="another shape") as caught:
        heads.train(other, data, corpus, base, tmp_path, begin=trained)
    file, _, field = caught.value.where.partition(": ")
    assert file == str(trained / ADAPTER_WEIGHTS)
    assert field.endswith(".lora_A.weight")
    assert "`rank`" in caught.value.mend


@pytest.mark.parametrize("name", [ADAPTER_WEIGHTS, HEADS])
@pytest.mark.parametrize("damaged", [True, False])
def test_weights_that_cannot_be_read_are_named(
    trained: Path, base: Path, tmp_path: Path, name: str, damaged: bool
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "judge"))
    if damaged:
        (folder / name).write_bytes(b"no tensors")
    else:
        (folder / name).unlink()

    with pytest.raises(BadInput) as caught:
        heads.Trainer(CONFIG, base).begin_from(folder)

    assert caught.value.where == str(folder / name)
    assert caught.value.mend


def test_heads_for_another_width_are_named(trained: Path, base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "judge"))
    kept = load_file(folder / HEADS)
    save_file(
        {name: weight[..., :-1].contiguous() for name, weight in kept.items()}, folder / HEADS
    )

    with pytest.raises(BadInput, match="heads") as caught:
        heads.Trainer(CONFIG, base).begin_from(folder)

    assert caught.value.where == str(folder / HEADS)


def test_a_checkpoint_that_does_not_fit_is_told_of_with_the_mend(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    last = tmp_path / "checkpoints" / "last.pt"
    last.parent.mkdir()
    for content, config in (
        (b"not a checkpoint", CONFIG),
        ((trained / "checkpoints" / "last.pt").read_bytes(), replace(CONFIG, first_layer=0)),
    ):
        last.write_bytes(content)
        begun = heads.begun_with(config, data, corpus)
        (last.parent / heads.SETTINGS).write_text(dump_toml(begun))
        with pytest.raises(BadInput, match="cannot be taken up") as caught:
            heads.train(config, data, corpus, base, tmp_path, resume=True)
        assert caught.value.where == str(last)
        assert "another folder" in caught.value.mend


def test_a_training_is_not_resumed_with_other_settings(
    trained: Path, data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "judge"))
    with pytest.raises(BadInput, match=r"clip: the run was begun with 1\.0, not 0\.5") as caught:
        heads.train(replace(CONFIG, clip=0.5), data, corpus, base, folder, resume=True)
    assert caught.value.where == f"{folder / 'checkpoints' / heads.SETTINGS}: clip"
    heads.train(replace(CONFIG, threads=2), data, corpus, base, folder, resume=True)


def test_a_trial_is_gone_on_with_by_its_own_limit_alone(
    data: Path, corpus: Path, base: Path, tmp_path: Path
) -> None:
    heads.train(CONFIG, data, corpus, base, tmp_path, limit=1)
    kept = weights(tmp_path)
    for other in (2, None):
        with pytest.raises(BadInput, match=f"the run was begun with 1, not {other}") as caught:
            heads.train(CONFIG, data, corpus, base, tmp_path, resume=True, limit=other)
        assert caught.value.where == f"{tmp_path / 'checkpoints' / heads.SETTINGS}: limit"
        assert "another folder" in caught.value.mend
    heads.train(CONFIG, data, corpus, base, tmp_path, resume=True, limit=1)
    for before, after in zip(kept, weights(tmp_path), strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=0)


def test_an_adapter_of_another_scale_is_not_taken_up(trained: Path, base: Path) -> None:
    trainer = heads.Trainer(replace(CONFIG, alpha=CONFIG.alpha * 2), base)
    with pytest.raises(BadInput, match=f"an alpha of {CONFIG.alpha}, not") as caught:
        trainer.begin_from(trained)
    assert caught.value.where.endswith("lora_alpha")


def test_a_few_held_out_situations_are_spread_over_the_corpus() -> None:
    corpus = Path(labelled.__file__).parent / "corpus" / "judge"
    whole, few = labelled.held_out(corpus), labelled.held_out(corpus, 10)

    places = [whole.index(one) for one in few]

    assert len(few) == 10 and len(whole) > 1000
    assert places == sorted(places) and places[0] == 0 and places[-1] > 0.8 * len(whole)


def test_reasons_that_do_not_hold_have_the_opposite_labels(tmp_path: Path) -> None:
    def write(name: str, rows: list[dict[str, object]]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"ethics.{name}_train.jsonl").write_text(text, "utf-8")

    write(
        "deontology",
        [
            {"scenario": asked, "excuse": f" No, {kind} {asked}", "label": label}
            for asked in ("Water the plants?", "Lock the shed?")
            for kind, label in (("good", 1), ("bad", 0))
        ],
    )
    write("justice", [{"text": f"I am owed {n}.", "label": n % 2} for n in range(4)])

    cases = people.reason_cases(tmp_path, 4, Random(1))

    assert [(case.context, len(case.acts)) for case in cases] == [
        ("Water the plants?", 2), ("Lock the shed?", 2), ("", 4),
    ]  # fmt: skip
    for good, bad in (cases[0].acts, cases[1].acts, cases[2].acts[1::-1]):
        assert [q.value for q in good.questions] == [q.value for q in bad.questions]
        assert [q.label.turned for q in good.questions] == [q.label for q in bad.questions]
    assert cases[0].acts[0].text == "No, good Water the plants?"


def test_a_few_are_taken_from_everywhere() -> None:
    assert evenly("abcdefghij", 3) == ["a", "d", "g"]
    assert evenly("abc", None) == evenly("abc", 3) == evenly("abc", 9) == ["a", "b", "c"]
    assert evenly("", 3) == []


def test_situations_of_some_kinds_are_never_met() -> None:
    assert {split_of(f"{kind}-101") for kind in ("bare", "ledger", "outside")} == {Split.NEVER}
    assert Split.NEVER not in {split_of(f"charter-{n:03}") for n in range(200)}
