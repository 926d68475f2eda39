"""What an organisation holds dear: values, each with a weight."""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from core.domain.text import digest

Weight = Annotated[float, Meta(ge=0.0, le=1.0)]
"""How much a value counts, 0 (switched off) to 1."""

Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
"""A probability, 0 to 1."""

LONGEST_ID = 40
_ID = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_ID - 1}}}")
LONGEST_STATEMENT = 600


class Foundation(StrEnum):
    """The five moral foundations (Haidt and Joseph 2004; Graham et al. 2013)."""

    CARE = "care"
    FAIRNESS = "fairness"
    LOYALTY = "loyalty"
    AUTHORITY = "authority"
    SANCTITY = "sanctity"


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value: a statement that an action can respect or go against."""

    id: str
    """Short and stable: lower-case letters, digits, hyphens, underscores; at most 40."""
    statement: str
    """One sentence, in the organisation's own words."""
    weight: Weight = 1.0
    foundation: Foundation | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(
                f"the id {self.id!r} is not made of lower-case letters, digits and hyphens"
            )
        if not self.statement.strip():
            raise ValueError(f"the statement of {self.id!r} is empty")
        if len(self.statement) > LONGEST_STATEMENT:
            raise ValueError(
                f"the statement of {self.id!r} is longer than {LONGEST_STATEMENT} characters"
            )


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An organisation's values. Their weights are the moral profile vector `c`."""

    name: str
    title: str = ""
    description: str = ""
    values: tuple[Value, ...] = field()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("the name is empty")
        if not self.values:
            raise ValueError("there are no values")
        seen: set[str] = set()
        for value in self.values:
            if value.id in seen:
                raise ValueError(f"the id {value.id!r} stands there twice")
            seen.add(value.id)
        if not any(value.weight > 0 for value in self.values):
            raise ValueError("every weight is 0, so nothing counts")

    @property
    def digest(self) -> str:
        """SHA-256 over ids and statements, in any order: what a verdict is bound to.

        Weights are left out on purpose: a verdict's scores do not depend on them.
        """
        judged = sorted((value.id, value.statement) for value in self.values)
        return digest(json.dumps(judged, ensure_ascii=False))

    @property
    def weights(self) -> dict[str, float]:
        """The moral profile vector `c`, by value id."""
        return {value.id: value.weight for value in self.values}

    @property
    def active(self) -> tuple[Value, ...]:
        """The values that are switched on, in order."""
        return tuple(value for value in self.values if value.weight > 0)

    def value(self, value_id: str) -> Value:
        """The value of that id; `KeyError` if there is none."""
        for value in self.values:
            if value.id == value_id:
                return value
        raise KeyError(value_id)

    def with_weights(self, weights: Mapping[str, float]) -> "Profile":
        """This profile with other weights; values not named keep theirs."""
        return msgspec.structs.replace(
            self,
            values=tuple(
                msgspec.structs.replace(value, weight=weights.get(value.id, value.weight))
                for value in self.values
            ),
        )
