"""What came of a command."""

from dataclasses import dataclass

PROGRESS = "…"


@dataclass(frozen=True)
class Ran:
    """Its exit status, and what it said."""

    status: int
    out: str
    err: str

    @property
    def trouble(self) -> str:
        """What standard error says beside progress: one or two lines, and never a traceback."""
        lines = [line for line in self.err.splitlines() if not line.endswith(PROGRESS)]
        assert "Traceback" not in self.err
        assert len(lines) <= 2, self.err
        return "\n".join(lines)
