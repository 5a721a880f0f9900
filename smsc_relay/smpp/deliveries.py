"""What the SMSC delivers over one session: MOs, receipts, alerts."""

from __future__ import annotations

from math import inf
from typing import Any

from chalicelib.messages import NAMELESS, StatusUpdate
from chalicelib.records import MoEvent, ReceiptEvent
from chalicelib.values import value
from smsc_relay.deliveries import Deliveries
from smsc_relay.protocol import Arrived, Fault, Happening, Surroundings
from smsc_relay.smpp import address, announced, receipts, texts
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.halves import Half, Halves, Joined, Pieces
from smsc_relay.smpp.pdus import AlertNotification, DataSm, DataSmResp, DeliverSm, DeliverSmResp, Pdu


@value
class Tokens:
    """Those of requests that are answered together; of one, a token is its sequence number and the response class."""

    tokens: tuple[Any, ...]


class SmppDeliveries(Deliveries[tuple[int, Pdu]]):
    """Of one session: requests with their sequence numbers."""

    def __init__(self, config: SmppConfig, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._config = config
        self._halves = Halves(surroundings.common.setdefault("receipts in pieces", Pieces()))

    def end(self, now: float) -> list[Happening]:
        """As is said there; what waits for its other half waits no longer."""
        found = super().end(now)
        self._halves.clear()
        return found

    @property
    def due(self) -> float:
        """When `overdue` has something to tell. What waits for its other half does so while that may be unread."""
        return inf if self._unread else self._halves.due

    def overdue(self, now: float) -> list[Happening]:
        """Pieces of receipts that have waited long enough for others."""
        found: list[Happening] = []
        if self.due > now:
            return found
        for one in self._halves.overdue(now):
            self._on_pieces(one, found)
        return found

    # --- by kind ------------------------------------------------------------------------------------------------------

    def _tell(self, request: tuple[int, Pdu], now: float, found: list[Happening]) -> None:
        sequence, pdu = request
        response: type[Pdu]
        if isinstance(pdu, DeliverSm):
            response = DeliverSmResp
        elif isinstance(pdu, DataSm):
            response = DataSmResp
        else:
            if isinstance(pdu, AlertNotification):
                found.append(announced.alert(pdu, self._config))
            return
        receipt = receipts.read(pdu, self._config)
        if isinstance(receipt, Half):
            whole = self._halves.add(receipt, (sequence, response), now)
            if whole is not None:
                self._on_pieces(whole, found)
            return
        event: MoEvent | ReceiptEvent | None
        form = ""
        if receipt is None:
            event, fault = self._incoming(pdu)
        else:
            event, fault, form = self._receipt(pdu, receipt), receipt.fault, receipt.form
        if fault:
            found.append(Fault(fault, form))
        found.append(Arrived((sequence, response), () if event is None else (event,)))

    def _on_pieces(self, told: Joined, found: list[Happening]) -> None:
        receipt = receipts.joined(told.pdus, told.text, self._config)
        if receipt.fault:
            found.append(Fault(receipt.fault, receipt.form))
        event = self._receipt(told.pdus[0], receipt)
        found.append(Arrived(Tokens(told.tokens), () if event is None else (event,)))

    def _incoming(self, pdu: DeliverSm | DataSm) -> tuple[MoEvent, str]:
        config = self._config
        found = texts.read(pdu, config)
        sender = address.phone(pdu.source_addr_ton, pdu.source_addr, config)
        to = config.mo_address or address.own(pdu.dest_addr_ton, pdu.destination_addr, config)
        return self._mo(found, sender, to, announced.own_tlvs(pdu.tlvs)), found.fault

    def _receipt(self, pdu: DeliverSm | DataSm, receipt: receipts.Receipt) -> ReceiptEvent | None:
        if receipt.status is None:
            return None
        around = self._around
        event_id = around.new_id()
        update = StatusUpdate(
            channel="",
            status=receipt.status,
            external_id=receipt.external_id or f"{NAMELESS} {event_id}",
            at=receipt.at,
            code=receipt.code,
            reason=receipt.stat,
            destination=_phone_of(pdu, self._config),
        )
        own = announced.own_tlvs(pdu.tlvs)
        return ReceiptEvent(
            event_id=event_id, update=update, aggregator=around.aggregator, at=around.wall_ms(), tlvs=own
        )  # fmt: skip


def _phone_of(pdu: DeliverSm | DataSm, config: SmppConfig) -> str:
    """The phone that a receipt is about, as we write it: its source (SMPP 3.4 appendix B), but some SMSCs leave the
    addresses as the message had them. "": neither is a phone's number."""
    source = address.written(pdu.source_addr_ton, pdu.source_addr, config.mo_source_rules)
    if address.is_phone(source):
        return source
    destination = address.written(pdu.dest_addr_ton, pdu.destination_addr, config.mo_source_rules)
    return destination if address.is_phone(destination) else ""
