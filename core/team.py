"""Which model plays which part: a policy that proposes and rewrites, a judge that scores."""

from dataclasses import dataclass

from core.models import catalog
from core.models.base import TextModel, Voices
from core.models.echo import Echo, EchoVoices
from core.session.events import ModelUsed
from core.stages.heads import HeadsJudge
from core.stages.judge import Judge, PromptedJudge
from core.watch import SILENT, Progress, Watch


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
    policy = policy or catalog.OWN
    judge = judge or (catalog.ECHO if policy == catalog.ECHO else catalog.OWN)
    watch.say(Progress(stage="load", done=0, total=2))
    asked_in_words = judge in (catalog.PROMPTED, policy) and judge != catalog.OWN
    proposer = _text_model(policy, device, dtype, reads=asked_in_words)
    watch.check()
    watch.say(Progress(stage="load", done=1, total=2))
    if judge == catalog.OWN:
        from core.models.load import load_judge

        reviewer: Judge = HeadsJudge(*load_judge(device=device, dtype=dtype))
    elif asked_in_words:
        reviewer = PromptedJudge(proposer)
    else:
        reviewer = PromptedJudge(_text_model(judge, device, dtype, reads=True))
    watch.say(Progress(stage="load", done=2, total=2))
    return Team(proposer, reviewer)


def load_voices(policy: str = "", *, device: str = "auto", dtype: str = "auto") -> Voices:
    """The moral agents: adapters on the default model, or canned ones where the policy is `echo`.

    Raises `ModelProblem` where the model is missing; which agents there are is asked later.
    """
    if policy == catalog.ECHO:
        return EchoVoices()
    from core.models.load import load_voices as load
    from core.models.voices import AdapterVoices

    return AdapterVoices(load(device=device, dtype=dtype))


def _text_model(name: str, device: str, dtype: str, *, reads: bool) -> TextModel:
    if name == catalog.ECHO:
        return Echo()
    catalog.locate(name)  # what is missing is said at once, not after seconds of imports
    from core.models.load import load_text_model  # brings torch, which echo does without

    return load_text_model(name, device=device, dtype=dtype, reads=reads)
