"""UCP/EMI for the relay: messages as operations 51 (or 30, or 01), and a conversation for each connection."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.messages import NO_DATA, Outgoing
from chalicelib.text import with_attachments
from smsc_relay.protocol import (
    CannotEncode,
    Conversation,
    Dialect,
    Inquiry,
    NotOffered,
    Plan,
    Role,
    Segment,
    Surroundings,
    Transcript,
)
from smsc_relay.ucp import address, texts
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import ALPHANUMERIC, OTOA_ALPHANUMERIC, Ot
from smsc_relay.ucp.conversation import Submit, UcpConversation
from smsc_relay.ucp.operations import CallInput, Message, Transfer
from smsc_relay.ucp.transcript import UcpTranscript

_ROLES: Final = {
    "transceiver": (Role.TRANSCEIVER,),
    "transmitter": (Role.TRANSMITTER,),
    "receiver": (Role.RECEIVER,),
    "pair": (Role.TRANSMITTER, Role.RECEIVER),
}


class UcpDialect:
    """UCP/EMI 3.5 to 4.x."""

    @property
    def name(self) -> str:
        """The aggregator type."""
        return "UCP"

    def plan(self, message: Outgoing, config: UcpConfig, reference: int) -> Plan:
        """One operation per segment; its `body` is the operation. Validity and deferral are moments, which are written
        when it is submitted.

        Raises:
            CannotEncode: the sender or recipient cannot be written, or the text is too long, or not GSM 7-bit where
                the account's operation has nothing else.
        """
        if message.data:
            raise CannotEncode(NO_DATA)
        found = texts.cut(with_attachments(message.text, message.attachments), config)
        total, made = len(found.parts), len(found.texts)
        if made > config.max_parts:
            raise CannotEncode(f"the text takes {made} segments; max_parts is {config.max_parts}")
        source = address.sender(message.from_, config)
        recipient = address.recipient(message.to, config)
        bodies: list[Submit]
        if config.operation == "51":
            bodies = _messages(found, source, recipient, config, reference)
        elif source.otoa == OTOA_ALPHANUMERIC:
            raise CannotEncode(f"the sender is alphanumeric, which operation {config.operation} does not have")
        elif config.operation == "30":
            bodies = [
                _transfer(octets, source.oadc, recipient, config, last=index + 1 == total)
                for index, octets in enumerate(found.parts)
            ]
        else:
            bodies = [
                CallInput(recipient, source.oadc, config.ac, ALPHANUMERIC, "", texts.ira(octets, config))
                for octets in found.parts
            ]
        segments = tuple(
            Segment(index, total, body, made // total, silent=config.receipts == "last" and index + 1 < total)
            for index, body in enumerate(bodies)
        )
        joined = "separate" if config.separate else config.long_messages
        return Plan(segments, found.encoding, f"{found.encoding}/{joined}/{total}")

    @property
    def inquires(self) -> bool:
        """It has no inquiries here."""
        return False

    def inquiry(self, inquiry: Inquiry, config: UcpConfig) -> Any:
        """No inquiries: UCP has no operation that our messages could be asked about with."""
        raise NotOffered(
            "not offered by this protocol: UCP has no operation that our messages could be asked about with"
        )

    def transcript(self) -> Transcript:
        """Of one direction, for the PDU log."""
        return UcpTranscript()

    def roles(self, config: UcpConfig) -> tuple[Role, ...]:
        """The connections of one bind: one, or a transmitter and a receiver."""
        return _ROLES[config.bind]

    def conversation(self, config: UcpConfig, role: Role, now: float, surroundings: Surroundings) -> Conversation:
        """A conversation for a connection that is about to be opened."""
        return UcpConversation(config, role, now, surroundings)


def _messages(
    found: texts.Cut, source: address.Sender, recipient: str, config: UcpConfig, reference: int
) -> list[Submit]:  # fmt: skip
    total = len(found.parts)
    bodies: list[Submit] = []
    for index in range(total):
        wanted = _notifications(config, last=index + 1 == total)
        template = Message(
            Ot.SUBMIT,
            adc=recipient,
            oadc=source.oadc,
            ac=config.ac,
            nrq=config.notification_request if wanted else "",
            nadc=config.notification_addr if wanted else "",
            nt=wanted,
            npid=config.notification_pid if wanted else "",
            lrq="1" if config.last_resort_addr else "",
            lrad=config.last_resort_addr,
            lpid=config.last_resort_pid,
            rpid=config.protocol_id,
            mms=("0" if index + 1 == total else "1") if config.more_messages else "",
            pr=config.priority,
            rpi=config.reply_path,
            otoa=source.otoa,
            hplmn=config.hplmn,
        )
        bodies.append(texts.with_text(template, found, index, config, reference))
    return bodies


def _transfer(octets: bytes, sender: str, recipient: str, config: UcpConfig, *, last: bool) -> Transfer:
    wanted = bool(_notifications(config, last=last))
    return Transfer(
        adc=recipient,
        oadc=sender,
        ac=config.ac,
        nrq=config.notification_request if wanted else "",
        nad=config.notification_addr if wanted else "",
        npid=config.notification_pid if wanted else "",
        msg=texts.ira(octets, config),
    )


def _notifications(config: UcpConfig, *, last: bool) -> str:
    """NT: 1 delivered, 2 not delivered, 4 buffered, added up; "": none is asked for."""
    if config.receipts == "none" or (config.receipts == "last" and not last):
        return ""
    return str((2 if config.receipts == "failure" else 3) + (4 if config.intermediate else 0))


DIALECT: Final[Dialect] = UcpDialect()
