"""SMPP for the relay: messages as submit_sm, and a conversation for each connection."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Final

from chalicelib.messages import Outgoing
from chalicelib.text import with_attachments
from smsc_relay import air
from smsc_relay.protocol import (
    CannotEncode,
    Conversation,
    Dialect,
    Inquiry,
    Plan,
    Role,
    Segment,
    Surroundings,
    Transcript,
)
from smsc_relay.smpp import address, data, inquiries, texts, times
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import (
    ESM_UDHI,
    REGISTERED_FAILURE,
    REGISTERED_FINAL,
    REGISTERED_INTERMEDIATE,
    REGISTERED_NONE,
    Tag,
)
from smsc_relay.smpp.conversation import SmppConversation
from smsc_relay.smpp.pdus import Pdu, SubmitSm, Tlv, int_tlv
from smsc_relay.smpp.transcript import SmppTranscript

_ROLES: Final = {
    "transceiver": (Role.TRANSCEIVER,),
    "transmitter": (Role.TRANSMITTER,),
    "receiver": (Role.RECEIVER,),
    "pair": (Role.TRANSMITTER, Role.RECEIVER),
}
Template = Callable[[int, int, bytes, tuple[Tlv, ...]], SubmitSm]
_PAYLOAD_MAX: Final = 65_535  # octets a TLV holds


class SmppDialect:
    """SMPP 3.3, 3.4 and 5.0."""

    @property
    def name(self) -> str:
        """The aggregator type."""
        return "SMPP"

    def plan(self, message: Outgoing, config: SmppConfig, reference: int) -> Plan:
        """One submit_sm (or data_sm) per segment; its `body` is the PDU. Validity and schedule are written relative:
        they become absolute when it is submitted, where the account wants that.

        Raises:
            CannotEncode: the sender or recipient cannot be written, or the text is too long.
        """
        found = _cut(message, config)
        if found.segments > config.max_parts:
            raise CannotEncode(f"the message takes {found.segments} segments; max_parts is {config.max_parts}")
        total = len(found.parts)
        template = _template(message, config, found.data_coding)
        if total == 1:
            bodies = [_whole(template, config, found)]
        else:
            bodies = [_part(template, config, found, reference, index) for index in range(total)]
        longest = max([len(body.short_message) for body in bodies])
        if longest > config.short_message_max:
            raise CannotEncode(f"a segment takes {longest} octets in {found.encoding}, more than short_message holds")
        pdus: Sequence[Pdu] = bodies if config.submit_with == "submit_sm" else [data.of(one, config) for one in bodies]
        count = found.segments // total  # all of them in one message_payload, or each in a submit_sm of its own
        segments = [
            Segment(index, total, body, count, silent=config.receipts == "last" and index + 1 < total)
            for index, body in enumerate(pdus)
        ]
        return Plan(tuple(segments), found.encoding, f"{found.encoding}/{config.long_messages}/{total}")

    @property
    def inquires(self) -> bool:
        """It has query_sm, cancel_sm and replace_sm."""
        return True

    def inquiry(self, inquiry: Inquiry, config: SmppConfig) -> Pdu:
        """query_sm, cancel_sm or replace_sm.

        Raises:
            CannotEncode: an address cannot be written, or the new text is not one short message as the old one.
        """
        return inquiries.request(inquiry, config, _registered(config, last=True))

    def transcript(self) -> Transcript:
        """Of one direction, for the PDU log."""
        return SmppTranscript()

    def roles(self, config: SmppConfig) -> tuple[Role, ...]:
        """The connections of one bind: one, or a transmitter and a receiver."""
        return _ROLES[config.bind]

    def conversation(self, config: SmppConfig, role: Role, now: float, surroundings: Surroundings) -> Conversation:
        """A conversation for a connection that is about to be opened."""
        return SmppConversation(config, role, now, surroundings)


def _cut(message: Outgoing, config: SmppConfig) -> texts.Cut:
    """Octets go as they are, and a text in the account's alphabet."""
    if not message.data:
        return texts.cut(with_attachments(message.text, message.attachments), config, message.message_class)
    coding = message.data_coding
    if coding is None:
        coding = 0x04 if message.message_class is None else 0x14 | message.message_class
    return texts.binary(base64.b64decode(message.data), bytes.fromhex(message.udh)[1:], coding, config)


def _template(message: Outgoing, config: SmppConfig, data_coding: int) -> Template:
    """What all segments of a message have; called with the rest it makes the PDU."""
    source = address.sender(message.from_, config)
    destination = address.recipient(message.to, config)
    schedule = times.relative(config.schedule) if config.schedule else ""
    validity = times.relative(config.validity) if config.validity else ""

    def pdu(esm_class: int, registered: int, octets: bytes, tlvs: tuple[Tlv, ...]) -> SubmitSm:
        # In the order of the wire: to match eighteen names takes three times as long as all the rest.
        return SubmitSm(
            config.service_type, *source, *destination, esm_class, config.protocol_id, config.priority_flag,
            schedule, validity, registered, int(config.replace_if_present), data_coding, 0, octets, tlvs,
        )  # fmt: skip

    return pdu


def _whole(template: Template, config: SmppConfig, found: texts.Cut) -> SubmitSm:
    (octets,) = found.parts
    esm_class, tlvs = config.esm_mode, _own_tlvs(config)
    if found.elements:
        esm_class, octets = esm_class | ESM_UDHI, air.header(found.elements) + octets
    if found.segments > 1 or len(octets) > config.short_message_max:
        if len(octets) > _PAYLOAD_MAX:
            raise CannotEncode(f"the text takes {len(octets)} octets; message_payload holds {_PAYLOAD_MAX}")
        tlvs, octets = (*tlvs, (int(Tag.MESSAGE_PAYLOAD), octets)), b""
    registered = _registered(config, last=True)
    return template(esm_class, registered, octets, tlvs)


def _part(template: Template, config: SmppConfig, found: texts.Cut, reference: int, index: int) -> SubmitSm:
    octets, total = found.parts[index], len(found.parts)
    last = index + 1 == total
    esm_class, tlvs = config.esm_mode, _own_tlvs(config)
    if config.long_messages == "sar" and not found.elements:  # a header of its own says it too
        tlvs += (
            int_tlv(Tag.SAR_MSG_REF_NUM, reference),
            int_tlv(Tag.SAR_TOTAL_SEGMENTS, total),
            int_tlv(Tag.SAR_SEGMENT_SEQNUM, index + 1),
        )
    else:
        which = air.concatenation(reference, total, index + 1, wide=config.long_messages == "udh16")
        esm_class, octets = esm_class | ESM_UDHI, air.header(which, found.elements) + octets
    if config.more_messages:
        tlvs += (int_tlv(Tag.MORE_MESSAGES_TO_SEND, int(not last)),)
    registered = _registered(config, last=last)
    return template(esm_class, registered, octets, tlvs)


def _own_tlvs(config: SmppConfig) -> tuple[Tlv, ...]:
    return tuple((one.tag, one.octets) for one in config.tlvs) if config.tlvs else ()


def _registered(config: SmppConfig, *, last: bool) -> int:
    """registered_delivery (SMPP 3.4 section 5.2.17)."""
    if config.receipts == "none" or (config.receipts == "last" and not last):
        return REGISTERED_NONE
    wanted = REGISTERED_FAILURE if config.receipts == "failure" else REGISTERED_FINAL
    return wanted | (REGISTERED_INTERMEDIATE if config.intermediate else 0)


DIALECT: Final[Dialect] = SmppDialect()
