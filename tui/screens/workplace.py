"""The review screen, as far as those need it who do something on it."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual.content import Content

from core.errors import PlacetError, reason
from tui.draw import press
from tui.flow.news import Change, Tone
from tui.flow.review import Review
from tui.keymap import key_of, keys_of
from tui.screens.layout import Layout


class Workplace(Layout):
    """One session, what is open beside its candidates, and a way to ask the operator something."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.compare: tuple[int, int] | None = None
        """The two versions whose difference is shown."""
        self.raw = False
        """Whether what the judge gave is shown word for word."""
        self.drafts: dict[str, Any] = {}
        """What was typed into dialogs and not sent, by dialog and candidate."""
        self._versions = ("", 0)
        """The candidate drawn last, and how many versions it had."""
        self.asking = False
        """Whether a question is being put, or acted on: no other begins until that is over."""

    def do(self, what: Coroutine[Any, Any, None]) -> None:
        """Runs something that may ask questions; what is refused is said, never raised."""
        if self.asking:
            what.close()
            return
        self.asking = True

        async def run() -> None:
            try:
                await what
            except PlacetError as error:
                self.refused(error)
            except (
                OSError,
                RuntimeError,
                ValueError,
            ) as error:  # of a path that was typed, as a rule
                self.refused(PlacetError(f"that cannot be done ({reason(error)})"))
            finally:
                self.asking = False

        self.run_worker(run(), group="asking")

    def keeps(self, draft: str) -> Callable[[Any], None]:
        """Keeps what is typed into a dialog as the draft of that name."""
        return partial(self.drafts.__setitem__, draft)

    def held(self, name: str) -> Callable[[str], bool]:
        """Tells a decision's key, held down since it opened a dialog, from one pressed in it.

        Only there: to lose a first letter that is the key's own is worse than to see it twice.
        """
        keys, looking = keys_of(self.app, name), self.review.looking
        return lambda pressed: pressed in keys and not looking.pressed(name)

    def refused(self, error: PlacetError) -> None:
        """Says what a guard, or a file, does not allow, and what can be done."""
        self.review.news.say(error.sentence, Tone.WARNING)

    def key_of(self, name: str) -> str:
        """The key that a binding has now, as it is shown."""
        return key_of(self.app, name)

    def press(self, name: str, told: str) -> Content:
        """A key and what it does."""
        return press(self.key_of(name), told)

    def draw(self, change: Change = Change.ALL) -> None:
        """Draws what has changed."""
        raise NotImplementedError

    def draw_verdict(self) -> None:
        """Draws the candidate under the cursor in full."""
        raise NotImplementedError

    def filter_closed(self) -> None:
        """Shows all candidates again."""
        raise NotImplementedError
