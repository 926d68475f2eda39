"""How likely each allowed answer is, read off one forward pass; none of it sampled."""

import time
from collections.abc import Iterable, Iterator, Sequence

import torch

from core.models.cache import AnyModel, Prefixes, common_prefix, is_own, rows_upon
from core.models.trees import Node, pack
from core.watch import Progress, Watch

ROW_TOKENS = 256
"""Tokens in a row: attention grows with their square."""

AT_ONCE = 1024
"""Tokens in a forward pass, where rows can have columns of their own to be kept."""

Tokens = Sequence[int]


@torch.inference_mode()
def choose(
    model: AnyModel,
    prefixes: Prefixes,
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    watch: Watch,
    *,
    packed: bool,
) -> list[list[float]]:
    """Probabilities [prompts][answers] of the answers (token ids) among themselves.

    With `packed`, what all prompts begin with is read once and kept, and prompts that begin alike
    are read as a tree, each shared piece once; else one by one with each answer, for models that
    take no mask of such a shape.
    """
    likelihood = torch.zeros((len(prompts), len(answers)))
    began, read = time.monotonic(), 0
    shared = min(common_prefix(prompts), min(len(prompt) for prompt in prompts) - 1)
    shared = shared if packed else 0
    rest = [prompt[shared:] for prompt in prompts]
    layers = prefixes.layers(tuple(prompts[0][:shared])) if shared else []
    whole = sum(len(prompt) for prompt in rest)
    groups = _groups(rest) if packed else ([index] for index in range(len(rest)))
    for some in _together(groups, rest, AT_ONCE if packed and is_own(model) else 0):
        for asked in [answers] if packed else [[answer] for answer in answers]:
            watch.check()
            trees = [_tree({index: rest[index] for index in group}, asked) for group in some]
            laid = pack([tuple(nodes) for nodes, _ in trees], ROW_TOKENS)
            rows = len(laid.input_ids)
            seen = laid.mask.new_ones((*laid.mask.shape[:3], shared))
            columns, places = laid.ends
            logits = model(
                input_ids=laid.input_ids.to(model.device),
                position_ids=(laid.position_ids + shared).to(model.device),
                attention_mask=(
                    torch.cat([seen, laid.mask], dim=-1).to(model.device) if packed else None
                ),
                past_key_values=rows_upon(layers, rows, model) if shared else None,
                logits_to_keep=(columns if is_own(model) else columns[0]).to(model.device),
                use_cache=bool(shared),
            ).logits
            chances = logits[places].float().log_softmax(-1)
            for nodes, ends in trees:
                own, chances = chances[: len(nodes)], chances[len(nodes) :]
                for (prompt, answer), way in ends.items():
                    place = answers.index(asked[answer])
                    likelihood[prompt, place] = sum(
                        float(own[node, token])
                        for node, token in zip(way, asked[answer], strict=True)
                    )
        read += sum(len(rest[index]) for group in some for index in group)
        rate = read / max(time.monotonic() - began, 1e-6)
        watch.say(
            Progress(
                stage="read",
                done=read,
                total=whole,
                tokens_done=read,
                tokens_per_s=rate,
                seconds_left=(whole - read) / rate,
            )
        )
    return [[float(chance) for chance in row] for row in likelihood.softmax(-1)]


def _groups(prompts: Sequence[Tokens]) -> Iterator[list[int]]:
    """Prompts that begin alike, together, as many as fit into a row."""
    group: list[int] = []
    tokens = 0
    for index in sorted(range(len(prompts)), key=lambda place: list(prompts[place])):
        shared = common_prefix([prompts[group[-1]], prompts[index]]) if group else 0
        new = len(prompts[index]) - shared
        if group and tokens + new > ROW_TOKENS:
            yield group
            group, tokens, new = [], 0, len(prompts[index])
        group.append(index)
        tokens += new
    if group:
        yield group


def _together(
    groups: Iterable[list[int]], prompts: Sequence[Tokens], most: int
) -> Iterator[list[list[int]]]:
    """Groups that are read in one forward pass: one, or as many as have about `most` tokens."""
    some: list[list[int]] = []
    for group in groups:
        some.append(group)
        if sum(len(prompts[index]) for one in some for index in one) >= most:
            yield some
            some = []
    if some:
        yield some


def _tree(
    prompts: dict[int, Tokens], answers: Sequence[Tokens]
) -> tuple[list[Node], dict[tuple[int, int], list[int]]]:
    """The prompts as one tree, and for each prompt and answer the nodes its tokens are read at."""
    nodes: list[Node] = []
    ends: dict[tuple[int, int], list[int]] = {}

    def grow(rows: list[tuple[int, Tokens]], parent: int) -> None:
        for first in dict.fromkeys(tokens[0] for _, tokens in rows):
            alike = [(index, tokens) for index, tokens in rows if tokens[0] == first]
            shared = common_prefix([tokens for _, tokens in alike])
            nodes.append(Node(tuple(alike[0][1][:shared]), parent))
            here = len(nodes) - 1
            for index, _ in (row for row in alike if len(row[1]) == shared):
                answer_ways(index, here)
            grow(
                [(index, tokens[shared:]) for index, tokens in alike if len(tokens) > shared], here
            )

    def answer_ways(index: int, end: int) -> None:
        for number, answer in enumerate(answers):
            way = [end]
            for token in answer[:-1]:
                nodes.append(Node((token,), way[-1]))
                way.append(len(nodes) - 1)
            ends[index, number] = way

    grow(list(prompts.items()), -1)
    return nodes, ends
