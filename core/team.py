"""Which model plays which part: a policy that proposes and rewrites, a judge that scores."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.models import catalog
from core.models.base import TextModel, Voices
from core.models.echo import Echo, EchoVoices
from core.models.share import Share, importing, loading, part
from core.session.events import ModelUsed
from core.stages.heads import HeadsJudge
from core.stages.judge import Judge, PromptedJudge
from core.watch import SILENT, Watch

IMPORTED = 0.6
"""What of the time that a load takes goes into importing libraries, about."""


@dataclass(frozen=True, slots=True)
class Team:
    """The models in memory, by role."""

    policy: TextModel
    judge: Judge
    voices: Voices | None = None
    """The moral agents, where they were asked for."""

    @property
    def used(self) -> dict[str, ModelUsed]:
        """What a session notes about them."""
        return {"policy": self.policy.used, "judge": self.judge.used}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Looks for no rubbish: loading leaves little, and looking takes some tenths of a second."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_uncollected()
def load_team(
    policy: str = "",
    judge: str = "",
    *,
    device: str = "auto",
    dtype: str = "auto",
    watch: Watch = SILENT,
) -> Team:
    """The models of these names, in memory. An empty name stands for the role's default, `placet`.

    The judge `placet` is the trained one; `prompted` is the policy asked in words, and any other
    name is that model asked in words. Raises `ModelProblem` where one is missing or cannot be run.
    """
    policy, judge, asked = _names(policy, judge)
    shares_it = judge != catalog.OWN and asked == policy
    share = loading(watch)
    share(0.0)
    begin = _import({policy, asked}, share)
    middle = 1.0 if shares_it else (begin + 1) / 2
    proposer = _text_model(policy, device, dtype, part(share, begin, middle))
    share(middle)
    watch.check()
    if shares_it:
        reviewer: Judge = PromptedJudge(proposer)
    else:
        reviewer = _reviewer(judge, asked, device, dtype, part(share, middle, 1.0))
    share(1.0)
    return Team(proposer, reviewer)


@_uncollected()
def load_reviewer(
    policy: str = "",
    judge: str = "",
    *,
    device: str = "auto",
    dtype: str = "auto",
    watch: Watch = SILENT,
) -> Judge:
    """The judge of `load_team` alone: of the policy no more is loaded than that judge asks."""
    _, judge, asked = _names(policy, judge)
    share = loading(watch)
    share(0.0)
    begin = _import({asked}, share)
    reviewer = _reviewer(judge, asked, device, dtype, part(share, begin, 1.0))
    share(1.0)
    return reviewer


def _names(policy: str, judge: str) -> tuple[str, str, str]:
    """Policy, judge, and the model that the judge is, by what empty names stand for."""
    policy = policy or catalog.OWN
    judge = judge or (catalog.ECHO if policy == catalog.ECHO else catalog.OWN)
    return policy, judge, policy if judge == catalog.PROMPTED else judge


def _reviewer(judge: str, asked: str, device: str, dtype: str, share: Share) -> Judge:
    if judge == catalog.OWN:
        from core.models.load import load_judge

        return HeadsJudge(*load_judge(device=device, dtype=dtype, share=share))
    return PromptedJudge(_text_model(asked, device, dtype, share))


def load_voices(policy: str = "", *, device: str = "auto", dtype: str = "auto") -> Voices:
    """The moral agents: adapters on the default model, or canned ones where the policy is `echo`.

    Raises `ModelProblem` where the model is missing; which agents there are is asked later.
    """
    if policy == catalog.ECHO:
        return EchoVoices()
    from core.models.load import load_voices as load
    from core.models.voices import AdapterVoices

    return AdapterVoices(load(device=device, dtype=dtype))


def _import(models: set[str], share: Share) -> float:
    """Brings torch, where a model is named that cannot do without.

    What is missing is said at once, not after seconds of imports. Gives what of `share` is done.
    """
    end = 0.0 if "core.models.load" in sys.modules else IMPORTED
    real = sorted(models - {catalog.ECHO})
    for name in real:
        catalog.locate(name)
    if real:
        with importing(part(share, 0.0, end)):
            import core.models.load  # noqa: F401
    return end


def _text_model(name: str, device: str, dtype: str, share: Share) -> TextModel:
    if name == catalog.ECHO:
        return Echo()
    from core.models.load import load_text_model

    return load_text_model(name, device=device, dtype=dtype, share=share)
