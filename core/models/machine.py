"""What this machine can do at best: the roof over all other figures."""

import time
from collections.abc import Callable

import psutil
import torch
from msgspec import Struct


class Machine(Struct, frozen=True):
    """Measured ceilings, with as many threads as the models use."""

    read_bytes_per_s: float
    """Reading memory from one end to the other, far more than a cache holds."""
    operations_per_s: float
    """Multiplications and additions of a large product of bfloat16 matrices."""


@torch.inference_mode()
def measure() -> Machine:
    """Takes about a second and 256 MB."""
    block = torch.ones(64 * 2**20)
    seconds = _median(block.sum)
    left, right = (torch.randn(2048, 2048).bfloat16() for _ in range(2))
    return Machine(
        read_bytes_per_s=block.nbytes / seconds,
        operations_per_s=2 * 2048**3 / _median(lambda: left @ right),
    )


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _median(act: Callable[[], object]) -> float:
    taken = []
    for _ in range(9):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[4]
