"""Rules by pattern for addresses: how an SMSC wants a number written, and what the numbers mean that it writes.

A rule's pattern must fit the whole address, and the first rule that fits is the only one. What may be repeated in a
pattern is limited, and no address of more than 21 characters is looked at (source_addr and destination_addr have 21
octets, SMPP 3.4 sections 5.2.8 and 5.2.9): the time for an address is bounded, whatever somebody sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LONGEST: Final = 21  # characters of an address that rules look at
MOST_RULES: Final = 50
_MOST_REPEATS: Final = 5  # of variable length: five ways to share 21 characters are some 60,000 steps at the worst
_ESCAPES: Final = re.compile(r"\\.", re.DOTALL)
_SETS: Final = re.compile(r"\[\^?\]?[^\]]*\]")
_OPENINGS: Final = re.compile(r"\(\?")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{)")
_VARIABLE: Final = re.compile(r"[*+?]|\{[0-9]*,[0-9]*\}")

Octet = Annotated[int, Field(ge=0, le=255)]


class AddressRule(BaseModel):
    """What to do with addresses of one look."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)

    match: str = Field(
        min_length=1, max_length=200, description="regular expression for the whole address, e.g. \\+256(7[0-9]{8})"
    )
    replace: str | None = Field(
        None, max_length=64, description="what is written instead, \\1 for the first group; unset: the address stays"
    )
    ton: Octet | None = Field(None, description="its TON; unset: as without the rule")
    npi: Octet | None = Field(None, description="its NPI; unset: as without the rule")

    @field_validator("match")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            advice = "; write \\+ for a plus sign" if value.startswith("+") else ""
            raise ValueError(f"is no regular expression: {error.msg}{advice}") from None
        bare = _SETS.sub("s", _ESCAPES.sub("e", value))
        if _REPEATED_GROUP.search(bare):
            raise ValueError("must not repeat a group with *, + or {}: for some addresses that takes for ever")
        if len(_VARIABLE.findall(_OPENINGS.sub("(", bare))) > _MOST_REPEATS:
            raise ValueError(f"has more than {_MOST_REPEATS} repeats of no fixed length (*, +, ? or {{1,9}})")
        return value

    @model_validator(mode="after")
    def _groups_exist(self) -> Self:
        try:
            re.compile(self.match).sub(self.replace or "", "")
        except (re.error, IndexError) as error:
            what = error.msg if isinstance(error, re.error) else str(error)
            raise ValueError(f"replace does not go with match: {what}") from None
        return self

    def written(self, text: str) -> str | None:
        """What the rule makes of an address; None: it does not fit."""
        fits = re.fullmatch(self.match, text)  # compiled once: the module keeps the last 512
        if fits is None:
            return None
        return text if self.replace is None else fits.expand(self.replace)


def first(rules: Iterable[AddressRule], text: str) -> tuple[AddressRule | None, str]:
    """The rule for an address, and what it makes of it; None and the address itself where no rule fits."""
    if text and len(text) <= LONGEST:
        for rule in rules:
            found = rule.written(text)
            if found is not None:
                return rule, found
    return None, text
