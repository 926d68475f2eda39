"""Tiny models with random weights and real tokenizers, made where they are needed."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

WINDOW = 2048

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def sentences() -> Iterator[str]:
    """Something to train a tokenizer on."""
    who = ("bakers", "farmers", "customers", "nurses", "engineers", "tenants")
    does = ("Write to the", "Ring all", "Invite the", "Ask our", "Never mislead the", "Pay the")
    what = ("about every fee.", "before they sign!", "in plain words?", "by letter: at once.")
    for parts in product(does, who, what):
        yield " ".join(parts)
    yield "Risk: LOW, MED or HIGH. Recommendation: approve, modify or reject. Answer: yes or no."
    yield "The organisation's values, the goal and the context of this action: respect it."


def gpt2(folder: Path) -> Path:
    """A causal model with a byte-level BPE."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences(), trainer)
    made: Any = PreTrainedTokenizerFast
    fast = made(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(fast),
        n_positions=WINDOW,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.35,
        bos_token_id=0,
        eos_token_id=0,
    )
    return saved(GPT2LMHeadModel(config), folder)


def llama(folder: Path, *, chat: bool = True) -> Path:
    """A causal model with grouped attention and a sentencepiece tokenizer, for chat or not."""
    import json

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    size = sentencepiece(folder / "tokenizer.model", {"unk_id": 0, "bos_id": 1, "eos_id": 2})
    told: dict[str, Any] = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    if chat:
        told["chat_template"] = CHAT_TEMPLATE
    (folder / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        initializer_range=0.35,
        bos_token_id=1,
        eos_token_id=2,
    )
    return saved(LlamaForCausalLM(config), folder)


def t5(folder: Path) -> Path:
    """A sequence-to-sequence model with a sentencepiece tokenizer."""
    import json

    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    size = sentencepiece(
        folder / "spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    )
    told = {
        "tokenizer_class": "T5Tokenizer",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "extra_ids": 0,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
    torch.manual_seed(3)
    made: Any = T5Config
    config = made(
        vocab_size=size,
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        initializer_factor=1.5,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return saved(T5ForConditionalGeneration(config), folder)


def sentencepiece(path: Path, ids: dict[str, int]) -> int:
    """Trains a tokenizer into `path`; the size of its vocabulary."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    train: Any = SentencePieceTrainer.train
    with path.open("wb") as file:
        train(
            sentence_iterator=sentences(),
            model_writer=file,
            vocab_size=450,
            model_type="unigram" if "pad_id" in ids else "bpe",
            byte_fallback="pad_id" not in ids,
            hard_vocab_limit=False,
            num_threads=1,
            minloglevel=2,
            **ids,
        )
    return int(SentencePieceProcessor(model_file=str(path)).get_piece_size())


def saved(model: Any, folder: Path) -> Path:
    """Puts the weights there as safetensors."""
    model.save_pretrained(folder)
    return folder
