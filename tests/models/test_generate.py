"""The real decoding code on tiny models: the same text as transformers writes, only in batches."""

import shutil
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from transformers import AutoModelForCausalLM, BartConfig, BartForConditionalGeneration

from core.errors import BadInput, Cancelled
from core.models import generate as decoding
from core.models.base import Draft, Prompt, Sampling
from core.models.cache import Prefixes, common_prefix
from core.models.causal import CausalModel
from core.models.generate import draw, generate
from core.models.load import load_text_model
from core.models.lookup import Lookup
from core.models.seq2seq import Seq2seqModel
from core.watch import SILENT, AnyNote, Progress, Watch
from tests.tiny import WINDOW

FREE = Sampling(temperature=0.8, top_p=0.9, max_tokens=24, one_line=False)
GREEDY = Sampling(temperature=0.0, max_tokens=24, one_line=False)
LENGTHS = r"come to (\d+) tokens; \S+ reads at most (\d+)"
PROMPTS = [
    Prompt("You plan the work of a bank.", user, "Action:")
    for user in (
        "Write to the bakers.",
        "Ring all farmers about every fee, before they sign!",
        "Never mislead the tenants in plain words? Pay the nurses by letter: at once.",
        "Invite the engineers.",
        "Write to the bakers about every fee.",
    )
]


def causal(folder: Path, dtype: str = "float32") -> CausalModel:
    model = load_text_model(str(folder), dtype=dtype)
    assert isinstance(model, CausalModel)
    return model


@pytest.fixture(params=["tiny_gpt2", "tiny_llama"])
def model(request: pytest.FixtureRequest) -> CausalModel:
    """A plain model, and one for chat."""
    return causal(request.getfixturevalue(request.param))


def _generate(model: Any) -> Any:
    """The method of transformers, which no checker sees through."""
    return model.generate


class Heard:
    """What a model was given to read: rows and tokens, one entry a forward pass."""

    def __init__(self, model: Any) -> None:
        self.shapes: list[tuple[int, int]] = []
        layers = next(part for part in model.modules() if isinstance(part, torch.nn.ModuleList))
        self._handle = layers[0].register_forward_pre_hook(self._hear)

    def _hear(self, module: Any, args: Any) -> None:
        self.shapes.append(tuple(args[0].shape[:2]))

    @property
    def tokens(self) -> int:
        return sum(rows * tokens for rows, tokens in self.shapes)


def alike(drafts: Sequence[Draft], others: Sequence[Draft]) -> bool:
    """Whether they are the same to the last digits of their likelihoods."""
    return len(drafts) == len(others) and all(
        one == replace(other, likelihood=one.likelihood)
        and one.likelihood == pytest.approx(other.likelihood, abs=1e-4)
        for one, other in zip(drafts, others, strict=True)
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "sampling",
    [
        FREE,
        Sampling(temperature=1.3, top_p=0.5, max_tokens=24, one_line=False),
        Sampling(temperature=1.0, top_p=1.0, max_tokens=24, one_line=False),
        Sampling(temperature=0.0, max_tokens=24, one_line=False),
    ],
    ids=["usual", "narrow", "whole-vocabulary", "greedy"],
)
@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_a_row_is_the_text_that_transformers_itself_writes(
    request: pytest.FixtureRequest, name: str, seed: int, sampling: Sampling
) -> None:
    folder = request.getfixturevalue(name)
    model, plain = causal(folder), AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    prompt = PROMPTS[seed]
    draft = model.generate([prompt], sampling, [seed], SILENT)[0]

    tokens = model.tokens(prompt, sampling.max_tokens)
    torch.manual_seed(seed)
    written = _generate(plain)(
        torch.tensor([tokens]),
        attention_mask=torch.ones((1, len(tokens)), dtype=torch.long),
        max_new_tokens=sampling.max_tokens,
        pad_token_id=0,
        top_k=0,
        **(
            {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
            if sampling.temperature
            else {"do_sample": False}
        ),
    )[0, len(tokens) :]
    assert draft.text == str(model.tokenizer.decode(written, skip_special_tokens=True)).strip()
    assert draft.tokens > 3
    read = torch.tensor([[*tokens, *written]])
    chances = plain(read).logits[0, len(tokens) - 1 : -1].log_softmax(-1)
    nats = chances.gather(1, written[:, None]).mean().item()
    assert draft.likelihood == pytest.approx(nats, abs=1e-4)


def test_a_t5_row_is_the_text_that_transformers_itself_writes(tiny_t5: Path) -> None:
    model = load_text_model(str(tiny_t5), dtype="float32")
    assert isinstance(model, Seq2seqModel)

    for seed, prompt in enumerate(PROMPTS):
        draft = model.generate([prompt], FREE, [seed], SILENT)[0]
        inputs = model.tokenizer(
            f"{prompt.system}\n\n{prompt.user}\n{prompt.lead}", return_tensors="pt"
        )
        torch.manual_seed(seed)
        written = _generate(model.model)(
            **inputs, do_sample=True, temperature=0.8, top_p=0.9, top_k=0, max_new_tokens=24
        )[0, 1:]
        assert draft.text == str(model.tokenizer.decode(written, skip_special_tokens=True)).strip()
        assert draft.tokens > 3


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_a_rows_text_does_not_depend_on_its_neighbours(
    request: pytest.FixtureRequest, name: str
) -> None:
    model = load_text_model(str(request.getfixturevalue(name)), dtype="float32")
    seeds = [11, 12, 13, 14, 15]

    together = model.generate(PROMPTS, FREE, seeds, SILENT)
    turned = model.generate(PROMPTS[::-1], FREE, seeds[::-1], SILENT)
    alone = [
        model.generate([prompt], FREE, [seed], SILENT)[0]
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]

    assert alike(together, turned[::-1]) and alike(together, alone)
    assert len({draft.text for draft in together}) == 5


@pytest.mark.parametrize("sampling", [FREE, GREEDY])
def test_what_was_said_before_is_guessed_and_read_in_fewer_steps(
    model: CausalModel, sampling: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = Lookup()
    monkeypatch.setattr(decoding, "Lookup", lambda: lookup)  # it remembers the first time
    monkeypatch.setattr(decoding, "PLACES", 0)
    plain = model.generate(PROMPTS, sampling, [1, 2, 3, 4, 5], SILENT)
    monkeypatch.undo()
    monkeypatch.setattr(decoding, "Lookup", lambda: lookup)
    told: list[str] = []
    heard = Heard(model.model)

    guessed = model.generate(
        PROMPTS, sampling, [1, 2, 3, 4, 5], SILENT, lambda row, text: told.append(text)
    )

    assert alike(guessed, plain)
    steps = [tokens for _, tokens in heard.shapes[-23:] if tokens <= 1 + decoding.GUESSES]
    assert len(steps) < 16
    assert max(steps) > 1
    assert {draft.text for draft in guessed} <= set(told)


def test_nothing_is_guessed_where_masks_of_our_own_are_not_honoured(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = causal(tiny_gpt2)
    assert model.takes_trees
    monkeypatch.setitem(model.__dict__, "takes_trees", False)
    heard = Heard(model.model)

    model.generate(PROMPTS, FREE, [1] * 5, SILENT)

    assert {tokens for _, tokens in heard.shapes[2:]} == {1}


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_no_guess_stands_beyond_the_window(request: pytest.FixtureRequest, name: str) -> None:
    """The prompt repeats itself, so there is always something to guess, to the last token."""
    model = causal(request.getfixturevalue(name))
    said = "Write to the bakers about every fee. "
    length = len(model.tokens(Prompt("Plan.", said * 11, "Action:"), 1))
    length -= len(model.tokens(Prompt("Plan.", said, "Action:"), 1))
    prompt = Prompt("Plan.", said * (10 * (WINDOW - 100) // length), "Action:")
    room = WINDOW - len(model.tokens(prompt, 1))
    to_the_end = Sampling(temperature=0.0, max_tokens=room, one_line=False)

    [draft] = model.generate([prompt], to_the_end, [1], SILENT)

    assert draft.tokens == room or draft.finished


def test_same_seed_same_text_and_another_seed_another_text(model: CausalModel) -> None:
    first = model.generate(PROMPTS, FREE, [1] * 5, SILENT)

    assert model.generate(PROMPTS, FREE, [1] * 5, SILENT) == first
    assert model.generate(PROMPTS, FREE, [2] * 5, SILENT) != first


def test_more_rows_than_fit_into_a_batch_come_back_in_order(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = causal(tiny_gpt2)
    whole = model.generate(PROMPTS, FREE, [3, 4, 5, 6, 7], SILENT)

    monkeypatch.setattr("core.models.generate.ROWS_AT_ONCE", 2)

    notes: list[AnyNote] = []
    assert alike(model.generate(PROMPTS, FREE, [3, 4, 5, 6, 7], Watch(notes.append)), whole)
    progress = [note for note in notes if isinstance(note, Progress)]
    done = [note.done for note in progress]
    assert done == sorted(done) and {note.total for note in progress} == {5 * FREE.max_tokens}
    assert progress[-1].tokens_done == sum(draft.tokens for draft in whole)


@pytest.mark.parametrize(
    ("name", "layer"), [("tiny_gpt2", 2 * 32), ("tiny_llama", 2 * 2 * 8)], ids=["gpt2", "llama"]
)
@pytest.mark.parametrize("shared", [0, 3])
def test_as_many_rows_are_written_together_as_half_of_the_free_memory_holds(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    layer: int,
    shared: int,
) -> None:
    """Two layers of keys and values in float32; what rows share stands once if it can."""
    model = causal(request.getfixturevalue(name))
    prompts = [[5 + row] * (6 - shared) for row in range(4)]
    prompts = [[4] * shared + prompt for prompt in prompts]
    once = 0 if name == "tiny_gpt2" else max(shared, 1)
    row = 2 * layer * 4 * (6 + 10 - once)
    sampling = Sampling(temperature=0.8, max_tokens=10, one_line=False)

    def written_together(free: int) -> int:
        monkeypatch.setattr(decoding, "free_bytes", lambda device: free)
        heard = Heard(model.model)
        model.forget()
        told = (lambda ids: "x", frozenset[int](), sampling, [1, 2, 3, 4], SILENT)
        generate(model.model, Prefixes(model.model), prompts, *told, lambda row, text: None)
        return max(rows for rows, _ in heard.shapes)

    assert [written_together(free) for free in (0, 4 * row - 1, 4 * row, 6 * row, 10**12)] == [
        1,
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize("shared", [0, 3])
@torch.inference_mode()
def test_a_step_copies_only_what_is_new(
    request: pytest.FixtureRequest, name: str, shared: int
) -> None:
    model = causal(request.getfixturevalue(name)).model
    prompts = [[4] * shared + [5, 6, 7], [4] * shared + [8, 9]]
    _, cache, mask, position = decoding.read(model, Prefixes(model), prompts)
    places = []
    for _ in range(3):
        mask = torch.cat([mask, mask.new_ones(2, 1)], dim=1)
        model(
            input_ids=torch.tensor([[5], [6]]),
            attention_mask=mask,
            position_ids=position[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        position = position + 1
        places.append([layer.keys.data_ptr() for layer in cache.layers])

    assert places[0] == places[1] == places[2]


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_t5"])
def test_where_memory_is_short_the_texts_are_the_same(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model: Any = load_text_model(str(request.getfixturevalue(name)), dtype="float32")
    whole = model.generate(PROMPTS, FREE, [3, 4, 5, 6, 7], SILENT)

    monkeypatch.setattr(decoding, "free_bytes", lambda device: 0)

    heard = Heard(model.model)
    notes: list[AnyNote] = []
    assert alike(model.generate(PROMPTS, FREE, [3, 4, 5, 6, 7], Watch(notes.append)), whole)
    assert {rows for rows, _ in heard.shapes} == {1}
    progress = [note for note in notes if isinstance(note, Progress) and note.stage == "write"]
    done = [note.done for note in progress]
    assert done == sorted(done)
    assert {note.total for note in progress} == {5 * FREE.max_tokens}


def test_an_encoder_of_another_family_than_t5_writes_too(tiny_t5: Path, tmp_path: Path) -> None:
    """Its config has other names for the same."""
    for path in tiny_t5.iterdir():
        if path.name not in ("config.json", "generation_config.json", "model.safetensors"):
            shutil.copy(path, tmp_path / path.name)
    torch.manual_seed(4)
    config = BartConfig(
        vocab_size=512,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        init_std=0.35,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
    )
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    model: Any = load_text_model(str(tmp_path))

    drafts = model.generate(PROMPTS, FREE, [3, 4, 5, 6, 7], SILENT)

    assert isinstance(model, Seq2seqModel)
    assert all(draft.tokens for draft in drafts)


def test_rows_that_are_finished_leave_the_batch_and_the_others_go_on(tiny_gpt2: Path) -> None:
    model = causal(tiny_gpt2)
    model._ends = frozenset(range(0, 400, 9))
    sampling = Sampling(temperature=1.5, top_p=1.0, max_tokens=40, one_line=False)
    seeds = [21, 22, 23, 24, 25]
    heard = Heard(model.model)

    drafts = model.generate(PROMPTS, sampling, seeds, SILENT)

    steps = [rows for rows, tokens in heard.shapes if tokens == 1]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) > 2
    assert len({draft.tokens for draft in drafts}) > 2
    assert all(draft.finished == (draft.tokens < 40) for draft in drafts)
    for prompt, seed, draft in zip(PROMPTS, seeds, drafts, strict=True):
        assert alike(model.generate([prompt], sampling, [seed], SILENT), [draft])


def test_a_prefix_that_was_read_is_not_read_again(model: CausalModel) -> None:
    heard = Heard(model.model)
    model.generate(PROMPTS[:1] * 4, FREE, [1, 2, 3, 4], SILENT)
    first, heard.shapes = heard.tokens, []
    again = model.generate(PROMPTS[:1] * 4, FREE, [1, 2, 3, 4], SILENT)

    read = [shape for shape in heard.shapes if shape[0] == 1 and shape[1] > 1]
    assert read == []
    assert heard.tokens < first
    assert again == model.generate(PROMPTS[:1] * 4, FREE, [1, 2, 3, 4], SILENT)


def test_after_a_change_only_what_is_new_is_read_and_the_text_is_right(
    model: CausalModel, request: pytest.FixtureRequest
) -> None:
    long = "Never mislead the tenants in plain words? " * 6
    before, after = (
        Prompt("You plan the work of a bank.", long + end, "Action:")
        for end in ("Write to the bakers.", "Ring all farmers about every fee.")
    )
    heard = Heard(model.model)
    model.generate([before], FREE, [5], SILENT)
    heard.shapes = []
    found = model.generate([after], FREE, [5], SILENT)

    tokens = len(model.tokens(after, 24))
    assert max(length for _, length in heard.shapes) < tokens / 2
    model._write_prefixes = Prefixes(model.model)
    assert model.generate([after], FREE, [5], SILENT) == found


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_t5"])
def test_cancelling_stops_between_two_tokens(request: pytest.FixtureRequest, name: str) -> None:
    model = load_text_model(str(request.getfixturevalue(name)), dtype="float32")
    heard: list[str] = []

    with pytest.raises(Cancelled):
        model.generate(
            PROMPTS[:1],
            Sampling(max_tokens=40, one_line=False),
            [1],
            Watch(cancelled=lambda: len(heard) >= 6),
            lambda row, text: heard.append(text),
        )

    assert len(heard) == 6


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_each_rows_text_is_heard_as_it_grows_and_progress_is_told(
    request: pytest.FixtureRequest, name: str
) -> None:
    model = load_text_model(str(request.getfixturevalue(name)), dtype="float32")
    heard: dict[int, list[str]] = {}
    notes: list[AnyNote] = []

    drafts = model.generate(
        PROMPTS,
        FREE,
        [1, 2, 3, 4, 5],
        Watch(notes.append),
        lambda row, text: heard.setdefault(row, []).append(text),
    )

    assert [heard[row][-1] for row in range(5)] == [draft.text for draft in drafts]
    assert sum(len(set(heard[row])) > 3 for row in range(5)) >= 3
    progress = [note for note in notes if isinstance(note, Progress)]
    assert [note.done for note in progress] == sorted(note.done for note in progress)
    assert all(note.done <= note.total and note.tokens_per_s > 0 for note in progress)


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_a_prompt_longer_than_the_window_is_refused_and_it_is_said_how_long_it_is(
    request: pytest.FixtureRequest, name: str
) -> None:
    model = load_text_model(str(request.getfixturevalue(name)), dtype="float32")
    endless = Prompt("You plan.", "Write to the bakers about every fee. " * 400, "Action:")

    for act in (
        lambda: model.generate([PROMPTS[0], endless], FREE, [1, 2], SILENT),
        lambda: model.choose([PROMPTS[0], endless], ["yes", "no"], SILENT),
    ):
        with pytest.raises(BadInput, match=LENGTHS) as caught:
            act()
        assert "Shorten goal or context" in caught.value.mend
        tokens, room = (int(word) for word in caught.value.problem.split() if word.isdigit())
        assert tokens > room
        assert room == 512 if name == "tiny_t5" else WINDOW - 24 <= room <= WINDOW


# Where a row ends


def written(model: CausalModel, text: str, sampling: Sampling) -> Iterator[tuple[str, bool]]:
    """What comes of a model that writes `text`, three characters a token."""
    drafts = generate(
        model.model,
        Prefixes(model.model),
        [[1, 2, 3]],
        lambda tokens: text[: 3 * len(tokens)],
        frozenset(),
        sampling,
        [1],
        SILENT,
        lambda row, text: None,
    )
    return ((draft.text, draft.finished) for draft in drafts)


SMS = '{"tool": "send_sms", "text": "It is {over}due. Please pay."}'


@pytest.mark.parametrize(
    ("text", "sampling", "end"),
    [
        ("\n\n Write to\nthe bakers", Sampling(max_tokens=9), ("Write to", True)),
        ("Write to\nall", Sampling(max_tokens=4, one_line=False), ("Write to\nall", False)),
        ("Write. Ring. More", Sampling(max_tokens=9, sentences=2), ("Write. Ring.", True)),
        ("Pay 2.50 now. More", Sampling(max_tokens=9, sentences=1), ("Pay 2.50 now.", True)),
        ("Pay 2.", Sampling(max_tokens=2, sentences=1), ("Pay 2.", False)),
        (f" {SMS} Then", Sampling(max_tokens=40, sentences=1), (SMS, True)),
        (SMS, Sampling(max_tokens=17, sentences=1), (SMS[:51], False)),
    ],
)
def test_a_row_ends_at_a_line_break_or_after_its_sentences(
    tiny_gpt2: Path, text: str, sampling: Sampling, end: tuple[str, bool]
) -> None:
    assert list(written(causal(tiny_gpt2), text, sampling)) == [end]


# Drawing a token


def test_the_nucleus_never_holds_more_than_it_takes() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    sampling = Sampling(temperature=1.0, top_p=0.6)

    drawn = {
        draw(logits, sampling, [torch.Generator().manual_seed(seed)])[0][0] for seed in range(200)
    }

    assert drawn == {0, 1}


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    chances = torch.tensor([0.5, 0.3, 0.15, 0.05])
    generators = [torch.Generator().manual_seed(seed) for seed in range(4000)]

    drawn, _ = draw(
        torch.log(chances).expand(4000, 4), Sampling(temperature=1.0, top_p=1.0), generators
    )

    shares = torch.bincount(torch.tensor(drawn), minlength=4) / 4000
    assert (shares - chances).abs().max() < 0.03


@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_what_a_token_tells_of_its_likelihood_is_the_models_word(temperature: float) -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])) + 4.0
    sampling = Sampling(temperature=temperature, top_p=0.9)
    for seed in range(5):
        [token], [nats] = draw(logits, sampling, [torch.Generator().manual_seed(seed)])

        assert nats == pytest.approx(log([0.5, 0.3, 0.2][token]), abs=1e-5)


@pytest.mark.parametrize("spread", [0.0, 0.02, 3.0])
def test_a_wide_nucleus_is_drawn_from_like_a_sorted_one(spread: float) -> None:
    logits = torch.randn(1, 5000, generator=torch.Generator().manual_seed(3)) * spread
    sampling = Sampling(temperature=0.9, top_p=0.95)
    for seed in range(12):
        [found], _ = draw(logits, sampling, [torch.Generator().manual_seed(seed)])

        chances = (logits[0] / 0.9).softmax(0)
        ordered, places = chances.sort(descending=True, stable=True)
        kept = places[(ordered.cumsum(0) - ordered) < 0.95]
        noise = torch.empty(5000).exponential_(1.0, generator=torch.Generator().manual_seed(seed))
        likely = chances[kept] / noise[kept]
        if spread:
            assert found == int(kept[likely.argmax()])
        else:
            assert 0 <= found < 5000


@pytest.mark.parametrize(
    ("rows", "shared"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2], [1, 2, 3]], 2), ([[1], [2]], 0), ([[5, 6]], 2)],
)
def test_the_common_prefix_is_what_all_rows_begin_with(rows: list[list[int]], shared: int) -> None:
    assert common_prefix(rows) == shared
