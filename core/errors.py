"""Errors as values of our own: raised where the cause is known, shown once at the edge."""


class PlacetError(Exception):
    """Something a person can mend: what is wrong, where, and what to do about it."""

    def __init__(self, problem: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        """What is wrong, as one clause."""
        self.where = where
        """The file, and the field in it, if there is one."""
        self.mend = mend
        """What the reader can do about it."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        mend = f"\n  {self.mend}" if self.mend else ""
        return f"{place}{self.problem}{mend}"

    @property
    def line(self) -> str:
        """All of it on one line."""
        place = f"{self.where}: " if self.where else ""
        stop = "" if not self.mend or self.problem.endswith((".", "?", "!")) else "."
        return " ".join(f"{place}{self.problem}{stop} {self.mend}".split())

    @property
    def sentence(self) -> str:
        """All of it on one line, with a capital and a stop."""
        told = self.line if self.line.endswith((".", "?", "!")) else f"{self.line}."
        if self.where or told[1:2].isdigit():  # a file, or a candidate's id, stands as it is
            return told
        return told[:1].upper() + told[1:]


def reason(error: BaseException) -> str:
    """The first line of what a library's error says, cut at 200 characters, or else its kind."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


class BadInput(PlacetError):
    """A file, a field or an argument that cannot be used as it is."""


class Refused(PlacetError):
    """A guard of the session said no. Nothing was changed."""


class ModelProblem(PlacetError):
    """A model that is missing, damaged or of a kind that cannot be run."""


class Tampered(PlacetError):
    """A session file whose chain of events does not fit together."""


class Cancelled(Exception):
    """The operator stopped the work. Not a failure."""
