"""Status reports, and how they find their messages: by destination and service centre time stamp, which the answer to
the submit has too (CIMD Interface Specification)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.messages import Status
from chalicelib.phones import digits_of
from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import DELIVERY_ERRORS, DELIVERY_NAMES, Delivery, Tag
from smsc_relay.cimd2.times import moment

STATES: Final[dict[int, Status]] = {
    Delivery.IN_PROCESS: Status.SENT,
    Delivery.EXPIRED: Status.FAILED,
    Delivery.FAILED: Status.FAILED,
    Delivery.SUCCESSFUL: Status.DELIVERED,
    Delivery.NO_RESPONSE: Status.SENT,
    Delivery.LAST_NO_RESPONSE: Status.FAILED,
    Delivery.CANCELLED: Status.FAILED,
    Delivery.DELETED: Status.FAILED,
    Delivery.DELETED_BY_CANCEL: Status.FAILED,
}
_MEANINGS: Final = {
    "delivered": Status.DELIVERED, "sent": Status.SENT, "failed": Status.FAILED, "ignored": None,
}  # fmt: skip
_SIGNIFICANT: Final = 9  # last digits of a destination: national and international forms have them alike


def external_id(destination: str, timestamp: str) -> str:
    """One name for a message however its destination is written: the last digits of it, and the time stamp as it is,
    since it is of the SMSC's clock. Messages of one second to one destination have one name on many SMSCs: the parts
    of a long one, above all."""
    return f"{digits_of(destination)[-_SIGNIFICANT:]}-{timestamp.strip()}" if timestamp.strip() else ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a status report says. `status` None: nothing to tell; WIRED, which changes nothing: it is unknown.
    `external_id`: "" if the key is not all there."""

    external_id: str
    status: Status | None
    reason: str = ""
    code: str = ""  # the SMSC's own error code
    at: int | None = None  # ms since the epoch
    fault: str = ""  # what is odd about it; without values


def read(packet: Packet, config: Cimd2Config) -> Receipt:
    """What a status report says. Never fails."""
    name = external_id(packet.get(Tag.DESTINATION) or "", packet.get(Tag.TIMESTAMP) or "")
    code = packet.integer(Tag.STATUS)
    if code is None:
        return Receipt(name, None, fault="a status report without a status")
    fault = "" if name else "a status report without a time stamp"
    status: Status | None
    if code in config.receipt_states:
        status = _MEANINGS[config.receipt_states[code]]
    elif code in STATES:
        status = STATES[code]
    else:
        status = Status.WIRED
        fault = fault or f"a status report with the unknown status {code}"
    error = packet.integer(Tag.STATUS_ERROR) or 0
    reason = DELIVERY_NAMES.get(code, f"status {code}")
    if error:
        reason = f"{reason}: {DELIVERY_ERRORS.get(error, f'error {error}')}"
    zone = config.zone
    at = moment((packet.get(Tag.DISCHARGE_TIME) or "").strip(), zone) if zone else None
    return Receipt(name, status, reason, str(error) if error else "", at, fault)
