"""Every key of the program, in one place: its name, what it does, and where it works.

A key's name is what the configuration file knows it by: `[keys]` `approve = "A"`. Nothing here is a
priority binding, since those reach through dialogs and text fields.
"""

from enum import Enum
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Place(Enum):
    """Where a key works."""

    APP = "everywhere"
    REVIEW = "on the review screen"
    LIST = "in a list"
    VALUES = "in the values"
    SCENARIO = "in the scenario"
    LAB = "in the laboratory"
    DIALOG = "in a dialog"
    PAGE = "on every other screen"
    SESSIONS = "on the screen of sessions"
    MODELS = "on the screen of models"


class Key(NamedTuple):
    """One thing to press."""

    id: str
    key: str
    """Comma-separated alternatives; the first is the one that is shown."""
    action: str
    label: str
    """A word for the footer."""
    tooltip: str
    """A sentence for the help."""
    place: Place
    show: bool = True
    shown_as: str = ""
    group: str = ""


# fmt: off
KEYS = (
    Key("propose", "g", "do('propose')", "propose", "Have the policy model propose candidates",
        Place.REVIEW, group="work"),
    Key("more", "m", "do('more')", "more", "Propose more candidates, unlike those there are",
        Place.REVIEW, group="work"),
    Key("agents", "w", "do('agents')", "ask agents",
        "Have the moral agents answer too, one a value that counts, and the aggregator",
        Place.REVIEW, group="work"),
    Key("approve", "a", "do('approve')", "approve",
        "Approve the candidate under the cursor, exactly as its text stands", Place.REVIEW,
        group="decide"),
    Key("reject", "x", "do('reject')", "reject",
        "Reject the candidate under the cursor; asks for the reason", Place.REVIEW,
        group="decide"),
    Key("realign", "r", "do('realign')", "re-align",
        "Have the candidate rewritten so that it keeps the goal and loses the harm",
        Place.REVIEW, group="decide"),
    Key("edit", "e", "do('edit')", "edit",
        "Edit the candidate's text; it is judged again at once", Place.REVIEW, group="decide"),
    Key("defer", "s", "do('defer')", "defer", "Put the candidate off", Place.REVIEW,
        group="decide"),
    Key("undo", "u", "do('undo')", "undo", "Take back your last action; the log keeps both",
        Place.REVIEW, group="decide"),
    Key("note", "n", "do('note')", "note", "Add a note to the candidate", Place.REVIEW,
        group="decide"),
    Key("judge", "c", "do('judge')", "check",
        "Have everything judged that has no verdict, or a stale one", Place.REVIEW,
        group="work"),
    Key("difference", "d", "do('difference')", "diff",
        "Show the differences between two versions of the text", Place.REVIEW, group="look"),
    Key("older", "left_square_bracket", "do('older')", "older",
        "Compare with an older version", Place.REVIEW, show=False, shown_as="[", group="look"),
    Key("newer", "right_square_bracket", "do('newer')", "newer",
        "Compare with a newer version", Place.REVIEW, show=False, shown_as="]", group="look"),
    Key("raw", "v", "do('raw')", "raw", "Show what the judge gave, word for word", Place.REVIEW,
        group="look"),
    Key("speak-for", "f", "do('speak_for')", "speak for",
        "Each moral agent's answer side by side with the synthesis", Place.REVIEW, group="look"),
    Key("filter", "slash", "do('filter')", "filter",
        "Show only candidates with these words: text, risk or standing", Place.REVIEW,
        shown_as="/", group="look"),
    Key("sort", "o", "do('sort')", "sort", "Sort by rank, arrival, standing or r·c",
        Place.REVIEW, group="look"),
    Key("blind", "b", "do('blind')", "blind",
        "Decide first, then see the verdict: shows how far the judge sways you", Place.REVIEW,
        group="look"),
    Key("values", "1", "pane('values')", "values", "Go to the values", Place.REVIEW,
        group="go"),
    Key("scenario", "2", "pane('scenario')", "scenario", "Go to the scenario", Place.REVIEW,
        show=False),
    Key("candidates", "3", "pane('candidates')", "candidates", "Go to the candidates",
        Place.REVIEW, show=False),
    Key("verdict", "4", "pane('verdict')", "verdict", "Go to the verdict", Place.REVIEW,
        show=False),
    Key("next-pane", "tab", "next_pane", "pane", "Go to the next pane", Place.REVIEW,
        show=False),
    Key("previous-pane", "shift+tab", "previous_pane", "previous pane",
        "Go to the previous pane", Place.REVIEW, show=False),
    Key("cancel", "escape", "do('cancel')", "cancel",
        "Cancel whatever runs, or close whatever is open", Place.REVIEW, shown_as="esc",
        group="go"),
    Key("save-as", "ctrl+s", "do('save_as')", "save as",
        "Keep the session in a file of another name; it is saved by itself all the time",
        Place.REVIEW, group="file"),
    Key("open", "ctrl+o", "do('open')", "open", "Open a session or a scenario", Place.REVIEW,
        group="file"),
    Key("sessions", "S", "do('sessions')", "sessions",
        "Browse, resume, verify, compare and export sessions", Place.REVIEW, group="file"),
    Key("models", "M", "do('models')", "models", "Choose, and bring, policy and judge",
        Place.REVIEW, group="file"),
    Key("statistics", "T", "do('statistics')", "statistics",
        "Decisions, agreement with the judge, Cohen's kappa, overrides, time", Place.REVIEW,
        group="file"),
    Key("messages", "H", "do('messages')", "messages",
        "What was said lately, in full", Place.REVIEW, group="file"),
    Key("laboratory", "G", "do('laboratory')", "games lab",
        "The moral games laboratory: tune a model on matrix games, and try it as the policy",
        Place.REVIEW, group="file"),
    Key("help", "question_mark", "do('help')", "help", "All keys and what they do", Place.REVIEW,
        shown_as="?", group="file"),
    Key("palette", "ctrl+p", "app.command_palette", "palette", "Find a command by its name",
        Place.REVIEW, group="file"),
    Key("quit", "q", "app.quit", "quit", "Leave; everything is saved", Place.REVIEW,
        group="file"),
    Key("down", "j,down", "down", "move", "Next line", Place.LIST, show=False),
    Key("up", "k,up", "up", "move up", "Line before", Place.LIST, show=False),
    Key("page-down", "pagedown", "page_down", "page down", "A page further", Place.LIST,
        show=False),
    Key("page-up", "pageup", "page_up", "page up", "A page back", Place.LIST, show=False),
    Key("first", "home", "first", "first", "First line", Place.LIST, show=False),
    Key("last", "end", "last", "last", "Last line", Place.LIST, show=False),
    Key("weight-up", "plus,right", "weight(1)", "more", "Make the value count more",
        Place.VALUES, shown_as="+"),
    Key("weight-down", "minus,left", "weight(-1)", "less", "Make the value count less",
        Place.VALUES, shown_as="−"),
    Key("value-switch", "space", "switch", "on/off", "Switch the value off, or on again",
        Place.VALUES),
    Key("value-edit", "e", "ask('edit')", "edit", "Edit the value's statement", Place.VALUES),
    Key("value-add", "N", "ask('add')", "add", "Add a value", Place.VALUES),
    Key("value-remove", "D,delete", "ask('remove')", "remove", "Remove the value", Place.VALUES),
    Key("profile-load", "L", "ask('load')", "load", "Go by another value profile",
        Place.VALUES),
    Key("profile-save", "W", "ask('save')", "save", "Save these values as a profile",
        Place.VALUES),
    Key("profile-compare", "C", "ask('compare')", "compare",
        "Compare these values with another profile", Place.VALUES),
    Key("scenario-edit", "e", "ask('edit')", "edit", "Edit goal and context here",
        Place.SCENARIO),
    Key("scenario-editor", "E", "ask('editor')", "$EDITOR",
        "Edit goal and context in your own editor", Place.SCENARIO),
    Key("scenario-library", "L", "ask('library')", "library", "Begin a session on another scenario",
        Place.SCENARIO),
    Key("scenario-import", "I", "ask('import')", "import",
        "Take in candidates from a TOML, JSON or JSONL file", Place.SCENARIO),
    Key("scenario-save", "W", "ask('save')", "save", "Save goal and context as a scenario",
        Place.SCENARIO),
    Key("lab-start", "s", "lab('start')", "start", "Start a run with this setting", Place.LAB),
    Key("lab-pause", "p", "lab('pause')", "pause/go on",
        "Stop the run with a checkpoint, or go on from its last one", Place.LAB),
    Key("lab-stop", "x", "lab('stop')", "stop", "End the run that goes on, with a checkpoint",
        Place.LAB),
    Key("lab-choose", "enter", "lab('choose')", "choose", "Change the field, or open the run",
        Place.LAB),
    Key("lab-more", "right,plus", "step(1)", "next", "The field's next value", Place.LAB),
    Key("lab-less", "left,minus", "step(-1)", "before", "The field's value before", Place.LAB),
    Key("lab-try", "t", "lab('try')", "try as policy",
        "Have the run's model propose in the review; its name tells where it comes from",
        Place.LAB),
    Key("lab-setting", "1", "pane('setting')", "panes", "Go to the setting", Place.LAB,
        shown_as="1-3"),
    Key("lab-runs", "2", "pane('runs')", "runs", "Go to the runs on this machine", Place.LAB,
        show=False),
    Key("lab-run", "3", "pane('run')", "run", "Go to the run in view", Place.LAB, show=False),
    Key("lab-next-pane", "tab", "next_pane(1)", "pane", "Go to the next pane", Place.LAB),
    Key("lab-previous-pane", "shift+tab", "next_pane(-1)", "previous pane",
        "Go to the previous pane", Place.LAB, show=False),
    Key("lab-help", "question_mark", "lab('help')", "help", "All keys and what they do",
        Place.LAB, shown_as="?"),
    Key("lab-palette", "ctrl+p", "app.command_palette", "palette",
        "Find a command by its name", Place.LAB),
    Key("lab-back", "escape,q", "back", "back", "Back to the review; a run goes on meanwhile",
        Place.LAB, shown_as="esc"),
    Key("close", "escape", "close", "close", "Close; nothing is changed", Place.DIALOG,
        shown_as="esc"),
    Key("take-over", "ctrl+s", "done", "save", "Take the edited text over", Place.DIALOG),
    Key("back", "escape,q", "back", "back", "Back to the review", Place.PAGE, shown_as="esc"),
    Key("session-resume", "enter", "resume", "resume", "Go on where it stood", Place.SESSIONS),
    Key("session-verify", "v", "verify", "verify", "Check the chain of events", Place.SESSIONS),
    Key("session-compare", "c", "compare", "compare", "Compare with another session",
        Place.SESSIONS),
    Key("export-markdown", "m", "export('md')", "Markdown", "Export as Markdown",
        Place.SESSIONS),
    Key("export-html", "h", "export('html')", "HTML", "Export as a web page", Place.SESSIONS),
    Key("export-json", "J", "export('json')", "JSON", "Export as JSON", Place.SESSIONS),
    Key("use-policy", "P", "use('policy')", "use as policy", "Have this model propose",
        Place.MODELS),
    Key("use-judge", "J", "use('judge')", "use as judge", "Have this model judge",
        Place.MODELS),
    Key("use-both", "enter", "use('both')", "use as both", "Have this model do both",
        Place.MODELS),
    Key("bring", "b", "bring", "bring it here", "Pull the model onto this machine",
        Place.MODELS),
    Key("stop-bringing", "x", "stop", "stop pulling", "Cancel the pull", Place.MODELS),
)
# fmt: on
"""In the order of the footer and the help."""

BY_ID = {key.id: key for key in KEYS}

DECISIONS = frozenset({"approve", "reject", "realign", "edit", "defer"})
"""What the guard against accidents is about."""

SHOWN = {
    "slash": "/", "question_mark": "?", "plus": "+", "minus": "−", "left_square_bracket": "[",
    "right_square_bracket": "]", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "left": "←", "right": "→", "up": "↑", "down": "↓", "delete": "del", "comma": ",",
    "full_stop": ".",     "exclamation_mark": "!", "asterisk": "*", "equals_sign": "=",
}  # fmt: skip


def bindings(*places: Place) -> list[BindingType]:
    """Textual's bindings for the keys of some places."""
    return [
        Binding(
            key.key,
            key.action,
            key.label,
            show=key.show,
            key_display=key.shown_as or None,
            tooltip=key.tooltip,
            id=key.id,
        )
        for key in KEYS
        if key.place in places
    ]


def shown(key: str) -> str:
    """A key as it is written on the screen."""
    first = key.split(",")[0]
    if "+" in first and len(first) > 1:
        *mods, last = first.split("+")
        return "".join("^" if mod == "ctrl" else f"{mod}+" for mod in mods) + SHOWN.get(last, last)
    return SHOWN.get(first, first)
