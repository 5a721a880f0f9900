"""What the SMSC delivers over one session: MOs and notifications."""

from __future__ import annotations

from collections import deque

from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.deliveries import Deliveries
from smsc_relay.numbers import is_phone
from smsc_relay.protocol import Arrived, Fault, Happening, Surroundings
from smsc_relay.ucp import address, receipts, texts, times
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import Ot
from smsc_relay.ucp.events import OperationReceived, Token
from smsc_relay.ucp.operations import Ack, CallInput, Message, Transfer


class UcpDeliveries(Deliveries[OperationReceived]):
    """Of one session."""

    def __init__(self, config: UcpConfig, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._config = config
        self._acks: dict[Token, deque[Ack]] = {}  # of what has arrived and has no result

    def ack(self, token: Token) -> Ack:
        """The positive result of what has arrived, which gets one now."""
        waiting = self._acks.get(token)
        if waiting is None:
            return Ack()
        found = waiting.popleft()
        if not waiting:
            del self._acks[token]
        return found

    def _tell(self, received: OperationReceived, now: float, found: list[Happening]) -> None:
        operation = received.operation
        event: MoEvent | ReceiptEvent | None
        if isinstance(operation, Message) and operation.ot != Ot.DELIVER:
            receipt = receipts.read(operation, self._config)
            phone = receipt.phone if is_phone(receipt.phone) else ""
            fault, event = receipt.fault, self._shared(receipt, phone)
            ack = Ack(times.stamp(self._around.wall_ms(), self._config.zone))
        elif isinstance(operation, CallInput | Transfer | Message):
            fault, event = self._incoming(operation)
            ack = _ack(operation)
        else:  # nothing else is let through by the session
            raise AssertionError(type(operation).__name__)
        self._acks.setdefault(received.token, deque()).append(ack)
        if fault:
            found.append(Fault(fault))
        found.append(Arrived(received.token, () if event is None else (event,)))

    def _incoming(self, operation: CallInput | Transfer | Message) -> tuple[str, MoEvent]:
        config = self._config
        found = texts.read(operation, config)
        otoa = operation.otoa if isinstance(operation, Message) else ""
        sender = address.phone(operation.oadc, otoa, config)
        to = config.mo_address or address.own(operation.adc)
        return found.fault, self._mo(found, sender, to)


def _ack(operation: CallInput | Transfer | Message) -> Ack:
    """AdC and the SMSC's own time stamp again, where it has given one."""
    stamp = operation.scts if isinstance(operation, Message) else ""
    return Ack(f"{operation.adc}:{stamp}" if stamp else "")
