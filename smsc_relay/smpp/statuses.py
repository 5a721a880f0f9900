"""command_status as operators write them: a number, a name, or all from one number to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from smsc_relay.smpp.constants import Status

_LARGEST: Final = 0xFFFFFFFF
_WRONG: Final = "must be a command_status other than 0: a number, 0x and hex digits, or a name such as RSYSERR"
Meaning = TypeVar("Meaning")


class Span(NamedTuple):
    """Statuses from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        """As an operator would write it."""
        return f"0x{self.first:X}" if self.first == self.last else f"0x{self.first:X}-0x{self.last:X}"


def _number(written: str) -> int:
    name = written.strip().upper()
    name = name if name.startswith("ESME_") else f"ESME_{name}"
    return int(Status[name]) if name in Status.__members__ else int(written, 0)


def _status(value: Any) -> Any:
    try:
        return _number(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(_WRONG) from None


def _span(value: Any) -> Any:
    try:
        first, _, last = str(value).partition("-")
        found = Span(_number(first), _number(last or first))
    except ValueError:
        raise ValueError(f"{_WRONG}; or from one to another: 0x400-0x4FF") from None
    if not 0 < found.first <= found.last <= _LARGEST:
        raise ValueError(f"{_WRONG}; or from one to another: 0x400-0x4FF")
    return found


def _apart(value: dict[Span, Meaning]) -> dict[Span, Meaning]:
    """Of two ranges one may lie within the other, which is then an exception to it; anything else is a mistake."""
    for one in value:
        for other in value:
            if one.first < other.first <= one.last < other.last:
                raise ValueError(f"{one} and {other} share some statuses: which of them counts?")
    return value


def meaning(status: int, of: Mapping[Span, Meaning]) -> Meaning | None:
    """What the narrowest range says that has this status; None: none has it."""
    fitting = [one for one in of if one.first <= status <= one.last]
    return of[min(fitting, key=lambda one: one.last - one.first)] if fitting else None


StatusCode = Annotated[int, BeforeValidator(_status), Field(gt=0, le=_LARGEST)]
Statuses = Annotated[Span, BeforeValidator(_span)]
Apart: Final = AfterValidator(_apart)
