"""Something said again and again while something else, which tells nothing, goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` in a thread of its own, first after `seconds` and until what is within ends."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=go_on, name="every", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
