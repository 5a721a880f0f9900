"""The key `canary` of an SMSC's file: a test message every so often, whose receipt is waited for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chalicelib.canaries import OFTEN, minutes
from chalicelib.registry import SMSC_TYPES

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164
_EVERY: Final = re.compile(r"[1-9][0-9]{0,3}m|[1-9][0-9]?h")
_LONGEST: Final = 24 * 60


class CanaryEntry(BaseModel):
    """A canary: what is sent, where to, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channel: UUID = Field(description="the channel of this file that it is sent from")
    to: str = Field(description="a number that is the canary's alone, e.g. the operator's test number: no platform gets"
                                " what it sends to the channel")  # fmt: skip
    every: str = Field("10m", description="how often: 5m to 24h, in steps of 5m")
    mo: bool = Field(False, description="the number answers, or the SMSC loops back: wait for that too")
    text: str = Field("", max_length=160, description="what is sent, e.g. the keyword that is answered; else the time")

    @field_validator("to")
    @classmethod
    def _number(cls, value: str) -> str:
        if not _NUMBER.fullmatch(value):
            raise ValueError('must be an international number in quotes, e.g. "+256772000000"')
        return value

    @field_validator("every")
    @classmethod
    def _often(cls, value: str) -> str:
        if not _EVERY.fullmatch(value) or minutes(value) % OFTEN or minutes(value) > _LONGEST:
            raise ValueError("must be 5m to 24h in steps of 5m, e.g. 10m or 1h")
        return value


def problems(entry: CanaryEntry, code: str, channels: Collection[UUID]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the rest of the file says against it: the key, and what is wrong."""
    if code not in SMSC_TYPES:
        yield ("canary",), f"is for SMSCs ({', '.join(sorted(SMSC_TYPES))}), and this is {code}: remove it"
    if entry.channel not in channels:
        yield ("canary", "channel"), "is no channel of this file: give the uuid of one of `channels`"
