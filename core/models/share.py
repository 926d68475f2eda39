"""How much of a load is done, from the importing of libraries to the last layer laid out."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.models.repeat import every
from core.watch import Progress, Watch

Share = Callable[[float], None]
"""Hears how much of something is done, 0 to 1."""

MODULES = 1200
"""About so many are imported before the first model can be read, and as many with transformers."""

FOREIGN = 0.5
"""What of the time that a model takes goes into importing transformers, where it is needed."""

HASHED, MERGED = 0.2, 0.8
"""When of the time that a model takes its digest is known, and its weights are read, about; the
rest goes into laying them out."""

CONVERTED = 0.9
"""When of the time that a GGUF file takes it is converted, about, the first time."""

TELLING = 0.1
"""How much has to be done before the time left can be guessed from it."""

_LOOK = 0.05
"""Seconds between two looks at how many modules there are."""


def unheard(_: float) -> None:
    """A `Share` for where nobody wants to know."""


def part(whole: Share, begin: float, end: float) -> Share:
    """Hears of a part that takes `whole` from `begin` to `end`."""
    return lambda done: whole(begin + min(max(done, 0.0), 1.0) * (end - begin))


def loading(watch: Watch) -> Share:
    """Tells `watch` of a load in hundredths, soon with the seconds left at the speed so far."""
    began = time.monotonic()

    def say(done: float) -> None:
        seconds = time.monotonic() - began
        left = seconds * (1 - done) / done if done >= TELLING else 0.0
        watch.say(Progress(stage="load", done=round(100 * done), total=100, seconds_left=left))

    return say


def with_transformers(share: Share) -> Share:
    """Imports what runs models by transformers, and tells how far that is; the rest of `share`."""
    if "core.models.foreign" in sys.modules:
        return share
    with importing(part(share, 0.0, FOREIGN)):
        import core.models.foreign  # noqa: F401
    return part(share, FOREIGN, 1.0)


@contextmanager
def importing(share: Share) -> Iterator[None]:
    """Tells how far the imports within have come, by the number of modules that are there."""
    before = len(sys.modules)
    with every(_LOOK, lambda: share((len(sys.modules) - before) / MODULES)):
        yield
    share(1.0)
