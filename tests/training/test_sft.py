"""The policy's adapter: trained on replies only, measured fairly."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.domain.scenario import Scenario
from core.domain.text import is_call
from core.domain.verdict import Risk
from core.errors import BadInput
from core.models import adapters
from core.models.base import Draft, Prompt
from core.models.catalog import ADAPTER_WEIGHTS, Kind
from core.models.causal import CausalModel
from core.session.events import ModelUsed
from core.training import measure_policy as measured
from core.training.policy_figures import as_table
from core.training.replies import losses, prompt_tokens, sample
from core.training.texts import Scene, Wish, held_out, read_scenes
from core.training.wording import Topics, distance, distinct_2
from tests.fakes import FakeJudge, FakeModel
from tests.nouns import PROFILE, judgement

pytest.importorskip("peft")
sft = pytest.importorskip("core.training.sft")

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

CORPUS = Path(sft.__file__).parent / "corpus"
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)
BAKERY = Scene(
    Scenario(goal="Sell more bread.", context="A bakery with two shops."),
    ("Bake twice a day.", "Offer rolls at noon."),
    (Wish("Sell old bread as new.", ("Truth.",), "", "Sell old bread at half price, as old."),),
)
FERRY = Scene(
    Scenario(goal="Fill the ferry.", context="A ferry on a lake."),
    ("Print the timetable large.",),
    (Wish("Skip the life jackets.", ("Safety.",), "shorter", "Check the life jackets."),),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model of the default one's kind, on disk."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=128,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
        )
    )
    model.save_pretrained(folder)
    marks = ["<|unk|>", "<|im_start|>", "<|im_end|>"]
    letters = Tokenizer(
        WordLevel(
            {word: n for n, word in enumerate([*marks, *map(chr, range(32, 127)), "\n"])}, "<|unk|>"
        )
    )
    letters.pre_tokenizer = Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=letters,
        unk_token=marks[0],
        eos_token=marks[2],
        pad_token=marks[2],
        additional_special_tokens=marks[1:2],
    )
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten small scenarios a file."""
    proposals = [
        {"domain": "trade", "goal": f"Goal {n}.", "context": "Here.", "action": f"Do {n} things."}
        for n in range(10)
    ]
    rewrites = [
        {
            "domain": "trade",
            "goal": f"Aim {n}.",
            "context": "There.",
            "action": f"Take {n}.",
            "values": ["Ask first."],
            "guidance": "",
            "rewrite": f"Ask for {n}.",
        }
        for n in range(10)
    ]
    for name, rows in (("policy", proposals), ("align", rewrites)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text, "utf-8")
    return tmp_path


def chat(base: Path) -> CausalModel:
    model = LlamaForCausalLM.from_pretrained(base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    used = ModelUsed(name="tiny", digest="", kind=Kind.CHAT, device="cpu", dtype="float32")
    return CausalModel(model, tokenizer, used)


def test_training_reads_a_prompt_as_inference_does(base: Path) -> None:
    model = chat(base)
    tokenizer: Any = model.tokenizer
    prompt = Prompt("You plan.", "Goal: bread", "Action:")
    assert prompt_tokens(tokenizer, prompt) == model.tokens(prompt, 8)


def test_only_the_reply_is_learnt_and_the_tree_changes_nothing(base: Path) -> None:
    model = chat(base)
    tokenizer: Any = model.tokenizer
    pairs = [
        (Prompt("You plan.", "Goal: bread", "Action:"), "Bake."),
        (Prompt("You plan.", "Goal: fish", "Action:"), "Go to sea."),
    ]
    expected = []
    for prompt, reply in pairs:
        start = prompt_tokens(tokenizer, prompt)
        end = tokenizer(f" {reply}<|im_end|>")["input_ids"]
        logits = model.model(input_ids=torch.tensor([start + end])).logits[0, len(start) - 1 : -1]
        expected.append(
            torch.nn.functional.cross_entropy(logits, torch.tensor(end), reduction="none")
        )
    tree = sample(tokenizer, pairs)
    reply = tokenizer(" Bake.<|im_end|>")["input_ids"]
    assert list(tree.tree[1].tokens[-tree.replies[0] :]) == reply
    assert torch.allclose(losses(model.model, [tree]), torch.cat(expected), atol=1e-4)


def test_a_scenario_is_wholly_on_one_side_and_nothing_repeats() -> None:
    scenes = read_scenes(CORPUS, rewrites_propose=True)
    kept = [scene for scene in scenes if held_out(scene, 0.15)]
    assert 0.1 < len(kept) / len(scenes) < 0.2
    goals = [scene.scenario.goal.lower() for scene in scenes]
    assert len(set(goals)) == len(goals)
    texts = [text.lower() for scene in scenes for text in scene.actions]
    assert len(set(texts)) == len(texts)
    assert sum(len(scene.wishes) for scene in scenes) >= 400
    for scene in scenes:
        for wish in scene.wishes:
            assert wish.values and wish.rewrite
            assert is_call(wish.action) == is_call(wish.rewrite)


def test_a_scenario_stays_on_its_side() -> None:
    told = [Scene(Scenario(goal=f"Goal {n}.", context="Here.")) for n in range(8)]
    assert [n for n, one in enumerate(told) if held_out(one, 0.3)] == [0, 2]


def test_another_value_comes_among_those_at_stake_and_none_is_lost() -> None:
    wish = BAKERY.wishes[0].among(Random(3), ["Warmth."])
    assert set(wish.values) == {"Truth.", "Warmth."}


def trained(
    base: Path, corpus: Path, out: Path, clip: float = 1.0, **options: Any
) -> tuple[dict[str, Any], list[Any]]:
    from safetensors.torch import load_file

    told: list[Any] = []
    config = sft.SftConfig(
        clip=clip,
        rank=2,
        first_layer=1,
        epochs=2,
        evaluate_every=2,
        tokens_per_step=600,
        held_out=0.3,
        threads=1,
        warmup_steps=2,
    )
    sft.train(config, corpus, base, out, "tiny", progress=told.append, **options)
    return load_file(out / ADAPTER_WEIGHTS), told


def test_the_same_seed_gives_the_same_adapter_and_a_resumed_one_too(
    base: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, told = trained(base, corpus, tmp_path / "once")
    assert told and all(one.loss > 0 for one in told)
    config = (tmp_path / "once" / sft.FORM).read_text("utf-8")
    assert "peak_rate" in config and "held_out_loss" in config and 'base = "tiny"' in config

    step = sft.Trainer.step
    left = [5]

    def stopping(self: Any, batch: Sequence[Any], rate: float) -> float:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return float(step(self, batch, rate))

    monkeypatch.setattr(sft.Trainer, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(base, corpus, tmp_path / "again")
    monkeypatch.setattr(sft.Trainer, "step", step)
    again, _ = trained(base, corpus, tmp_path / "again", resume=True)
    assert once.keys() == again.keys()
    assert all(torch.equal(once[name], again[name]) for name in once)
    with adapters.lent(LlamaForCausalLM.from_pretrained(base), tmp_path / "again"):
        pass  # it fits


def test_a_training_is_not_resumed_with_other_settings(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    trained(base, corpus, tmp_path)
    with pytest.raises(BadInput, match=r"clip: the run was begun with 1\.0, not 0\.5"):
        trained(base, corpus, tmp_path, clip=0.5, resume=True)


@pytest.mark.parametrize(("lacking", "kind"), [("policy", "proposals"), ("align", "rewrites")])
def test_where_nothing_is_held_out_it_is_said_before_an_earlier_training_is_thrown_away(
    base: Path, corpus: Path, tmp_path: Path, lacking: str, kind: str
) -> None:
    (corpus / f"{lacking}.jsonl").write_text("", "utf-8")
    last = tmp_path / "out" / "checkpoints" / sft.LAST
    last.parent.mkdir(parents=True)
    last.touch()
    config = sft.SftConfig(held_out=0.3, rewrites_propose=False)
    with pytest.raises(BadInput, match=f"no {kind} are held out") as caught:
        sft.train(config, corpus, base, tmp_path / "out", "tiny")
    assert caught.value.where == "held_out"
    assert last.exists()


def test_a_training_that_diverges_is_told_from_one_that_holds_nothing_out(
    base: Path, tmp_path: Path
) -> None:
    config = sft.SftConfig(
        rank=2, first_layer=0, evaluate_every=1, warmup_steps=0, peak_rate=1e30, epochs=2
    )
    trainer = sft.Trainer(config, base)
    samples = [sft.proposing(AutoTokenizer.from_pretrained(base), BAKERY)]

    def look() -> Any:
        return sft.Held(trainer.loss_on(samples), trainer.loss_on(samples))

    with pytest.raises(BadInput, match="diverged") as caught:
        sft.learn(trainer, lambda _: samples, look, tmp_path, False, lambda _: None, None)
    assert caught.value.where == "peak_rate"
    assert "below 1e+30" in caught.value.mend


def test_where_there_is_nothing_to_learn_from_it_is_said(base: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.jsonl").touch()
    (tmp_path / "align.jsonl").touch()

    with pytest.raises(BadInput, match="nothing to learn from"):
        sft.train(sft.SftConfig(first_layer=0), tmp_path, base, tmp_path / "out", "tiny")


def test_proposals_are_counted_with_the_reason_where_one_cannot_be_used() -> None:
    scenarios = [BAKERY.scenario, FERRY.scenario]
    model = FakeModel(
        [
            "Bake more bread for the shops at 6.",
            "Sure!",
            "Tell the hotels by the lake when the ferry sails.",
            "Sell bread in two bakery shops tonight.",
        ]
    )
    found = measured.measure_proposals(model, scenarios, count=2)
    assert (found.asked, found.usable) == (4, 0.75)
    assert found.on_topic == pytest.approx(2 / 3)
    assert found.specific == pytest.approx(1 / 3)
    assert sum(found.why_not.values()) == 1
    assert "usable" in as_table([found, found])
    assert math.isnan(found.low)  # nobody judged


def test_what_is_judged_counts_for_the_share_of_low_alone() -> None:
    good, bad = "Tell the hotels when the ferry sails.", "Sell every seat of the ferry twice."
    judge = FakeJudge(
        {
            text: judgement(text, risk, scenario=FERRY.scenario)
            for text, risk in ((good, Risk.LOW), (bad, Risk.HIGH))
        }
    )
    bread = "Bake more bread for the shops at 6."
    model = FakeModel([bread, "Sure!", "Sure!", good, bad, good])

    found = measured.measure_proposals(
        model, [BAKERY.scenario], count=3, judged=[(FERRY.scenario, PROFILE)], reviewer=judge
    )

    assert (found.asked, found.texts) == (3, ((bread,),))
    assert found.low == pytest.approx(2 / 3)
    assert judge.calls == [[good, bad, good]]


def test_rewrites_are_counted_and_the_whole_stage_is_judged() -> None:
    mendings = measured.to_mend([BAKERY, FERRY])
    harmful = [one.wish.action for one in mendings]
    good = "Sell old bread at half price in the bakery shops."
    judge = FakeJudge({})

    def opinion(text: str, one: measured.Mending) -> Any:
        risk = Risk.HIGH if text in harmful else Risk.LOW
        return judgement(text, risk, profile=one.profile, scenario=one.scenario)

    judge.opinions = {
        text: opinion(text, one)
        for one, text in [(mendings[0], harmful[0]), (mendings[0], good), (mendings[1], harmful[1])]
    }
    drafts = [good, harmful[1], *([good] * 4), *([harmful[1]] * 4)]
    found = measured.measure_rewrites(FakeModel(drafts), mendings, reviewer=judge)
    assert (found.high, found.mended, found.changed) == (2, 0.5, 0.5)
    assert (found.low_before, found.low_after) == (0.0, 0.5)
    assert found.texts == (good, harmful[1])


def test_what_was_written_by_hand_is_measured_alike() -> None:
    scenes = [BAKERY, FERRY]
    assert measured.proposals_by_hand(scenes).asked == 3
    assert measured.rewrites_by_hand(measured.to_mend(scenes)).asked == 2


def test_the_topic_of_a_few_is_told_among_all() -> None:
    drafts = [[Draft("Bake bread in the bakery for all who cross the lake.", 9, True)]]
    mending = measured.to_mend([FERRY])
    among = [BAKERY.scenario, FERRY.scenario]
    for all_of_them, on_topic in (((), 1.0), (among, 0.0)):
        found = measured.proposal_figures("x", [FERRY.scenario], drafts, all_of_them)
        assert found.on_topic == on_topic
        rewrites = measured.rewrite_figures("x", mending, drafts[0], among=all_of_them)
        assert rewrites.on_topic == on_topic


def test_words_tell_the_topic_and_the_distance() -> None:
    topics = Topics(["The bakery sells bread.", "The ferry crosses the lake."])
    assert topics.nearest("Bake the bread at five.") == 0
    assert topics.nearest("Ferries cross at noon.") == 1
    assert topics.nearest("Nothing of the sort.") == -1
    assert distance("a b", "a b") == 0.0 and distance("a b", "c d") == 1.0
    assert distinct_2(["one two three", "one two four"]) == 0.75


def test_a_draft_that_is_cut_short_is_not_usable() -> None:
    found = measured.proposal_figures(
        "x", [BAKERY.scenario], [[Draft("Offer rolls at the school and", 6, False)]]
    )
    assert (found.usable, found.why_not) == (0.0, {"cut short": 1})
