"""`placet bench`: how fast it is here, beside the tutorial's loop."""

from typing import Annotated

import typer

from core.bench import bench as run
from core.cli.options import AsJson, Device, Dtype, JudgeModel, Policy
from core.cli.output import Meter, announce, give_json, say
from core.team import load_team


def bench(
    candidates: Annotated[int, typer.Option(min=1, max=64, help="Candidates a round.")] = 8,
    values: Annotated[int, typer.Option(min=1, max=32, help="Values to judge by.")] = 5,
    repeat: Annotated[int, typer.Option(min=1, max=50, help="Rounds of each.")] = 5,
    scaling: Annotated[bool, typer.Option(help="Also how time grows with the sizes.")] = True,
    as_json: AsJson = False,
    policy: Policy = "",
    judge: JudgeModel = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Time whole rounds beside the tutorial's loop on the same weights, alternating."""
    with Meter() as meter:
        team = load_team(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        announce(*team.used.values())
        found = run(
            team,
            candidates=candidates,
            values=values,
            repeat=repeat,
            policy=policy,
            scaling=scaling,
            tell=lambda text: meter.show(text, stage=text),
        )
    if as_json:
        give_json(found)
        return
    ours, theirs = found["placet"], found["tutorial"]
    say(
        f"{candidates} candidates × {values} values, medians of {repeat} rounds\n"
        f"Placet             {ours['median_s']:8.2f} s\n"
        f"tutorial's loop    {theirs['median_s']:8.2f} s   {found['ratio']:.1f} times as long\n"
        f"first candidate    {ours['first_candidate_s']:8.2f} s\n"
        f"first verdict      {ours['first_verdict_s']:8.2f} s\n"
        f"judging reads      {ours['prefill_tokens_per_s']:8,.0f} tokens/s\n"
        f"writing            {ours['decode_tokens_per_s']:8,.0f} tokens/s\n"
        f"peak memory        {ours['peak_memory_bytes'] / 1e9:8.2f} GB\n"
        f"this machine reads {found['machine']['read_gb_per_s']:8.1f} GB/s and does "
        f"{found['machine']['bfloat16_gflop_per_s']:,.0f} GFLOP/s in bfloat16"
    )
    for row in found["scaling"]:
        say(
            f"judging {row['candidates']:>3} × {row['values']:>2}   {row['judge_s']:8.3f} s "
            f"{row['pairs_per_s']:8.0f} pairs/s"
        )
