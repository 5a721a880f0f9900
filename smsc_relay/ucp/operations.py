"""Operations and results by the names of their fields (EMI UCP Interface Specification sections 4 to 6).

All fields are text as it is on the wire: "" is an empty field. No `repr` shows an address, a password or a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, NamedTuple

from smsc_relay.ucp.codec import Frame
from smsc_relay.ucp.constants import SERIES_5X, TRANSPARENT, WITH_MVP, Ec, Ot
from smsc_relay.ucp.errors import LocalProtocolError, UcpDecodeError


def _hidden() -> Any:
    return field(default="", repr=False)


# --- operations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallInput:
    """01. `nb` is there with MT 4 alone."""

    ot: ClassVar[int] = Ot.CALL_INPUT
    adc: str = _hidden()
    oadc: str = _hidden()
    ac: str = _hidden()
    mt: str = ""
    nb: str = ""
    msg: str = _hidden()


@dataclass(frozen=True, slots=True)
class Transfer:
    """30: an alphanumeric text without type, coding or header."""

    ot: ClassVar[int] = Ot.TRANSFER
    adc: str = _hidden()
    oadc: str = _hidden()
    ac: str = _hidden()
    nrq: str = ""
    nad: str = _hidden()
    npid: str = ""
    dd: str = ""
    ddt: str = ""
    vp: str = ""
    msg: str = _hidden()


@dataclass(frozen=True, slots=True)
class Alert:
    """31: is there somebody?"""

    ot: ClassVar[int] = Ot.ALERT
    adc: str = _hidden()
    pid: str = ""


@dataclass(frozen=True, slots=True)
class SessionManagement:
    """60: login (STYP 1), change of password (3), provisioning session (4)."""

    ot: ClassVar[int] = Ot.SESSION
    oadc: str = _hidden()
    oton: str = ""
    onpi: str = ""
    styp: str = ""
    pwd: str = _hidden()
    npwd: str = _hidden()
    vers: str = ""
    ladc: str = _hidden()
    lton: str = ""
    lnpi: str = ""
    opid: str = ""
    res1: str = ""


class Message(NamedTuple):
    """51 to 59: all of them have these 33 fields. A tuple: this is what is made for every message."""

    ot: int
    adc: str = ""
    oadc: str = ""
    ac: str = ""
    nrq: str = ""
    nadc: str = ""
    nt: str = ""
    npid: str = ""
    lrq: str = ""
    lrad: str = ""
    lpid: str = ""
    dd: str = ""
    ddt: str = ""
    vp: str = ""
    rpid: str = ""
    scts: str = ""
    dst: str = ""
    rsn: str = ""
    dscts: str = ""
    mt: str = ""
    nb: str = ""
    msg: str = ""
    mms: str = ""
    pr: str = ""
    dcs: str = ""
    mcls: str = ""
    rpi: str = ""
    cpg: str = ""
    rply: str = ""
    otoa: str = ""
    hplmn: str = ""
    xser: str = ""
    res4: str = ""
    res5: str = ""

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True) if name not in _PRIVATE)
        return f"Message({', '.join(shown)})"


_PRIVATE: Final = frozenset({"adc", "oadc", "ac", "nadc", "lrad", "msg", "xser"})
Operation = CallInput | Transfer | Alert | SessionManagement | Message
_KINDS: Final[dict[int, type[CallInput | Transfer | Alert | SessionManagement]]] = {
    int(kind.ot): kind for kind in (CallInput, Transfer, Alert, SessionManagement)
}


_NAMES: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(one.name for one in fields(kind) if one.name != "ot")
    for kind in (CallInput, Transfer, Alert, SessionManagement)
}
_FIELDS: Final = len(Message._fields) - 1


def fields_of(operation: Operation) -> dict[str, str]:
    """The fields of an operation by name, in their order."""
    if isinstance(operation, Message):
        return dict(zip(Message._fields[1:], operation[1:], strict=True))
    return {name: getattr(operation, name) for name in _NAMES[type(operation)]}


def operation_frame(operation: Operation, trn: int) -> Frame:
    """The frame of an operation."""
    if isinstance(operation, Message):
        return Frame(trn, False, operation.ot, operation[1:])
    values = list(fields_of(operation).values())
    if isinstance(operation, CallInput) and operation.mt != TRANSPARENT:
        del values[4]
    return Frame(trn, False, int(operation.ot), tuple(values))


def read_operation(frame: Frame) -> Operation:
    """The operation in a frame. Missing fields at the end are empty, surplus ones are passed over.

    Raises:
        UcpDecodeError: an operation that is not known here.
    """
    if frame.ot in SERIES_5X:
        return Message(frame.ot, *frame.fields[:_FIELDS])
    values = list(frame.fields)
    kind = _KINDS.get(frame.ot)
    if kind is None:
        raise UcpDecodeError(Ec.UNSUPPORTED, f"operation {frame.ot:02d} is not known here", frame.trn, frame.ot)
    if kind is CallInput and values[3:4] != [TRANSPARENT]:
        values.insert(4, "")
    return kind(*values[: len(_NAMES[kind])])


# --- results --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ack:
    """A positive result. `sm`: system message; `mvp`: modified validity period, of 30 and 51 to 59 alone."""

    sm: str = _hidden()
    mvp: str = ""


@dataclass(frozen=True, slots=True)
class Nack:
    """A negative result."""

    ec: int
    sm: str = _hidden()


Result = Ack | Nack


def result_frame(result: Result, trn: int, ot: int) -> Frame:
    """The frame of a result.

    Raises:
        LocalProtocolError: the operation's results have no modified validity period.
    """
    if isinstance(result, Nack):
        return Frame(trn, True, ot, ("N", f"{result.ec:02d}", result.sm))
    if ot in WITH_MVP:
        return Frame(trn, True, ot, ("A", result.mvp, result.sm))
    if result.mvp:
        raise LocalProtocolError(f"a result of operation {ot:02d} has no modified validity period")
    return Frame(trn, True, ot, ("A", result.sm))


def read_result(frame: Frame) -> Result:
    """The result in a frame. Missing fields at the end are empty; a slash in the system message belongs to it.

    Raises:
        UcpDecodeError: it is neither positive nor negative, or its error code is no number.
    """
    first, *rest = frame.fields
    if first == "A":
        if frame.ot in WITH_MVP:
            mvp, *rest = rest or [""]
            return Ack("/".join(rest), mvp)
        return Ack("/".join(rest))
    if first == "N":
        code, *rest = rest or [""]
        if code.isascii() and code.isdigit() and len(code) <= 3:
            return Nack(int(code), "/".join(rest))
    raise UcpDecodeError(Ec.SYNTAX, "a result that says neither yes nor no", frame.trn, frame.ot, result=True)
