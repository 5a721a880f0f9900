"""What the SMSC delivers over one session: MOs and status reports."""

from __future__ import annotations

from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.cimd2 import address, receipts, texts
from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Operation
from smsc_relay.deliveries import Deliveries
from smsc_relay.protocol import Arrived, Fault, Happening, Surroundings


class Cimd2Deliveries(Deliveries[Packet]):
    """Of one session; a token is a packet number."""

    def __init__(self, config: Cimd2Config, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._config = config

    def _tell(self, packet: Packet, now: float, found: list[Happening]) -> None:
        event: MoEvent | ReceiptEvent | None
        if packet.operation == Operation.STATUS_REPORT:
            receipt = receipts.read(packet, self._config)
            event, fault = self._shared(receipt, address.destination(packet)), receipt.fault
        else:
            event, fault = self._incoming(packet)
        if fault:
            found.append(Fault(fault))
        found.append(Arrived(packet.number, () if event is None else (event,)))

    def _incoming(self, packet: Packet) -> tuple[MoEvent, str]:
        config = self._config
        found = texts.read(packet, config)
        sender = address.phone(packet, config)
        to = config.mo_address or address.destination(packet)
        return self._mo(found, sender, to), found.fault
