"""The policy taught by grades, on a tiny model."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from core.domain.scenario import Scenario
from core.errors import BadInput
from core.models.catalog import ADAPTER_WEIGHTS
from core.training.texts import Scene, Wish, held_out
from tests import tiny

pytest.importorskip("peft")

from core.training import prefer, sft
from core.training.adapted import Adapted
from core.training.cards import FORM, PREFERRED, held_out_shares
from core.training.replies import losses
from core.training.steps import Progress

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

CONFIG = prefer.PreferConfig(
    best=1,
    worst=1,
    sft=sft.SftConfig(
        rank=2,
        alpha=4,
        first_layer=0,
        peak_rate=5e-3,
        epochs=4,
        warmup_steps=1,
        evaluate_every=4,
        tokens_per_step=600,
        threads=1,
    ),
)
WISH = Wish("Skip the life jackets.", ("Safety.",), "", "Check the life jackets.")
SCENES = [
    Scene(Scenario(goal=f"Fill ferry {n}.", context="A lake."), ("Print it.",), (WISH,))
    for n in range(24)
]


def row(scene: Scene, action: str = "", **changed: Any) -> dict[str, Any]:
    return {
        "goal": scene.scenario.goal,
        "action": action,
        "texts": ["Write to the farmers at once.", "Ring all tenants.", "Pay the nurses."],
        "grades": [2, 0, 1],
    } | changed


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


@pytest.fixture(scope="module")
def begin(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begin")
    Adapted(base, 2, 4, 0, "cpu").save(folder, "tiny")
    return folder


def corpus(folder: Path, *rows: dict[str, Any]) -> Path:
    """A corpus of these graded rows; by default two for each scenario."""
    actions = [
        {"goal": s.scenario.goal, "context": s.scenario.context, "action": s.actions[0]}
        for s in SCENES
    ]
    wishes = [
        {
            "goal": s.scenario.goal,
            "context": s.scenario.context,
            "action": WISH.action,
            "values": list(WISH.values),
            "guidance": "",
            "rewrite": WISH.rewrite,
        }
        for s in SCENES
    ]
    graded = rows or tuple(row(s, action) for s in SCENES for action in ("", WISH.action))
    for name, some in (("policy", actions), ("align", wishes), ("graded-1", graded)):
        lines = "".join(json.dumps(one) + "\n" for one in some)
        (folder / f"{name}.jsonl").write_text(lines, "utf-8")
    return folder


def read(folder: Path, base: Path) -> list[prefer.Graded]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    found = prefer.read_graded(folder / CONFIG.texts, SCENES, tokenizer, CONFIG)
    return [one for _, one in found]


def test_of_each_prompt_the_best_and_the_worst_text_are_learnt(base: Path, tmp_path: Path) -> None:
    proposal, rewrite = read(corpus(tmp_path, row(SCENES[0]), row(SCENES[0], WISH.action)), base)
    assert proposal.grades == rewrite.grades == (2, 0)
    assert not proposal.rewrites and rewrite.rewrites
    tokenizer = AutoTokenizer.from_pretrained(base)
    told = [tokenizer.decode(list(leaf.tokens)) for leaf in rewrite.tree[1:]]
    assert "farmers at once." in told[0] and "all tenants." in told[1]
    assert WISH.action in tokenizer.decode(list(rewrite.tree[0].tokens))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"goal": "Sink it."}, "line 1: goal"),
        ({"action": "Sail."}, "line 1: goal"),
        ({"grades": [1]}, "line 1: grades"),
    ],
)
def test_a_row_that_fits_nothing_is_named(
    base: Path, tmp_path: Path, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput, match=field):
        read(corpus(tmp_path, row(SCENES[0], **changed)), base)


def test_texts_that_are_all_as_good_teach_no_preference(base: Path, tmp_path: Path) -> None:
    assert read(corpus(tmp_path, row(SCENES[0], grades=[3, 3, 3])), base) == []


def test_before_anything_is_learnt_no_text_has_gained(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    trainer = prefer.Preferring(CONFIG, base, begin)
    told: list[Progress] = []
    [one] = trainer.looked_up(read(corpus(tmp_path, row(SCENES[0])), base), told.append)
    assert [(p.stage, p.step, p.steps) for p in told] == [("beginning", 1, 1)]
    with torch.no_grad():
        flat = losses(trainer.adapted.causal, [one.sample])
    costs = torch.split(flat, list(one.sample.replies))
    assert one.before == pytest.approx([-float(cost.sum()) for cost in costs], rel=1e-3)
    assert told[0].loss == pytest.approx(float(torch.cat(costs).mean()), rel=1e-3)
    assert float(trainer.loss([one]).detach()) == pytest.approx(math.log(2), rel=1e-3)


def test_what_a_reader_prefers_gains_on_what_he_does_not(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    folder = corpus(tmp_path)
    out = tmp_path / "out"
    prefer.prefer(CONFIG, folder, base, begin, out, "tiny")
    trainer = prefer.Preferring(CONFIG, base, begin)
    unseen = [s for s in SCENES if held_out(s, CONFIG.sft.held_out)]
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = corpus(tmp_path, *[row(s) for s in unseen]) / CONFIG.texts
    told = [one for _, one in prefer.read_graded(rows, SCENES, tokenizer, CONFIG)]
    assert told
    before = trainer.looked_up(told, print)
    trainer.adapted.load(out)
    for old, new in zip(before, trainer.looked_up(told, print), strict=True):
        better, worse = (now - was for now, was in zip(new.before, old.before, strict=True))
        assert better > worse


def test_a_resumed_training_comes_to_the_same_adapter(
    base: Path, begin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    folder = corpus(tmp_path)
    told: list[Any] = []
    prefer.prefer(CONFIG, folder, base, begin, tmp_path / "once", "tiny", progress=told.append)
    assert all(one.loss > 0 for one in told)
    step, left = sft.Trainer.step, iter(range(7))

    def stopping(self: Any, batch: Any, rate: float) -> float:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return step(self, batch, rate)

    with monkeypatch.context() as patched:
        patched.setattr(sft.Trainer, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            prefer.prefer(CONFIG, folder, base, begin, tmp_path / "again", "tiny")
    prefer.prefer(CONFIG, folder, base, begin, tmp_path / "again", "tiny", resume=True)
    once, again = (load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("once", "again"))
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_a_training_goes_on_only_from_what_it_was_begun_with(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    folder, out = corpus(tmp_path), tmp_path / "out"
    short = replace(CONFIG, sft=replace(CONFIG.sft, epochs=1))
    prefer.prefer(short, folder, base, begin, out, "tiny", limit=1)
    Adapted(base, 2, 4, 0, "cpu").save(tmp_path / "other", "tiny")
    others = [
        (replace(short, beta=0.2), begin),
        (replace(short, looked_at=0.3), begin),
        (short, tmp_path / "other"),
    ]

    for config, other in others:
        with pytest.raises(BadInput, match=r"about\.[\w.]+: the run was begun with"):
            prefer.prefer(config, folder, base, other, out, "tiny", resume=True, limit=1)
    with pytest.raises(BadInput, match="limit: the run was begun with 1"):
        prefer.prefer(short, folder, base, begin, out, "tiny", resume=True, limit=2)
    prefer.prefer(short, folder, base, begin, out, "tiny", resume=True, limit=1)
    corpus(tmp_path, *[row(s, a, grades=[0, 1, 2]) for s in SCENES for a in ("", WISH.action)])
    with pytest.raises(BadInput, match=r"about\.[\w.]+: the run was begun with"):
        prefer.prefer(short, folder, base, begin, out, "tiny", resume=True, limit=1)


def test_what_cannot_be_learnt_from_is_named_before_the_model_is_loaded(
    base: Path, begin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(prefer, "Preferring")
    folder, path = corpus(tmp_path), str(tmp_path / CONFIG.texts)

    def refused(config: prefer.PreferConfig) -> BadInput:
        with pytest.raises(BadInput) as caught:
            prefer.prefer(config, folder, base, begin, tmp_path / "out", "tiny")
        return caught.value

    found = refused(replace(CONFIG, looked_at=CONFIG.sft.held_out))
    assert found.where == "looked_at" and "above `sft.held_out`, which is 0.15" in found.mend
    for action, lacking in (("", "rewrites"), (WISH.action, "proposals")):
        corpus(tmp_path, *[row(scene, action) for scene in SCENES])
        found = refused(CONFIG)
        assert found.where == path and f"no {lacking} are held out" in str(found)
    Path(path).unlink()
    found = refused(CONFIG)
    assert found.where == path and found.mend and "--data" not in found.mend


def test_the_training_ends_at_its_best_and_its_card_says_how_it_went(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    import tomllib

    out = prefer.prefer(CONFIG, corpus(tmp_path), base, begin, tmp_path / "out", "tiny")
    card = tomllib.loads((out / PREFERRED).read_text("utf-8"))
    looks = [(one["propose"] + one["rewrite"]) / 2 for one in card["looks"]]
    assert len(looks) > 1 and min(looks) < looks[0]
    assert card["prompts"]["learnt"] > card["prompts"]["looked_at"] > 0
    assert card["config"]["beta"] == CONFIG.beta


def test_the_cards_of_the_trainings_before_come_along(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    first = shutil.copytree(begin, tmp_path / "first")
    (first / FORM).write_text("[config]\nheld_out = 0.05\n", "utf-8")

    out = prefer.prefer(CONFIG, corpus(tmp_path), base, first, tmp_path / "out", "tiny")

    assert min(held_out_shares(out)) == 0.05


def test_an_adapter_of_another_shape_is_not_taken_up(
    base: Path, begin: Path, tmp_path: Path
) -> None:
    wide = replace(CONFIG, sft=replace(CONFIG.sft, rank=4))
    with pytest.raises(BadInput, match="another shape"):
        prefer.prefer(wide, corpus(tmp_path), base, begin, tmp_path / "out", "tiny")
