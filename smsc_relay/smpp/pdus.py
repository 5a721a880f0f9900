"""The PDUs of SMPP 3.3, 3.4 and 5.0 as values. Field names are the specification's, in the order of the wire.

C-octet strings are ``str`` with one character per octet (Latin-1, lossless both ways); octet strings are ``bytes``;
lengths and counts are derived. In a response the first field may be ``None``: there was no body at all, which is how
many SMSCs refuse (TLVs may follow the header even so). A ``repr`` tells lengths, never values.

One long file, since it is one table: a class is a row, written out so that it reads as the specification does.
"""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

from chalicelib.values import value
from smsc_relay.smpp.constants import RESPONSE_BIT, TLVS, CommandId, TlvKind
from smsc_relay.smpp.errors import SmppEncodeError

Tlv = tuple[int, bytes]


class Pdu:
    """What all PDUs have. ``tlvs`` keeps every TLV, known or not, in the order of the wire."""

    __slots__ = ()
    command_id: ClassVar[int]
    response: ClassVar[type[Pdu] | None] = None
    tlvs: tuple[Tlv, ...]

    def tlv(self, tag: int) -> bytes | None:
        """Value of the first TLV with this tag, None where there is none."""
        for known, octets in self.tlvs:
            if known == tag:
                return octets
        return None

    def tlvs_all(self, tag: int) -> list[bytes]:
        """Values of all TLVs with this tag."""
        return [value for known, value in self.tlvs if known == tag]

    def tlv_int(self, tag: int) -> int | None:
        """The value as an integer of any width from 1 to 8 octets; None where it is absent, empty or longer."""
        value = self.tlv(tag)
        return int.from_bytes(value, "big") if value and len(value) <= 8 else None

    def tlv_text(self, tag: int) -> str | None:
        """The value up to a NUL."""
        value = self.tlv(tag)
        return None if value is None else value.split(b"\0", 1)[0].decode("latin-1")

    def __repr__(self) -> str:
        shown = []
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            if one.name == "tlvs":
                shown.append("tlvs=[" + ", ".join(f"0x{tag:04X}:{len(octets)}" for tag, octets in value) + "]")
            elif isinstance(value, int) or value is None:
                shown.append(f"{one.name}={value}")
            else:
                shown.append(f"{one.name}:{len(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


class BindResp(Pdu):
    """What the three bind responses have."""

    __slots__ = ()
    system_id: str | None


# --- TLVs -----------------------------------------------------------------------------------------------------------


def int_tlv(tag: int, value: int, width: int | None = None) -> Tlv:
    """An integer TLV. ``width`` in octets; None: the specification's least, 1 for a vendor's tag.

    Raises:
        SmppEncodeError: the value does not fit, or the specification knows the tag for a text.
    """
    spec = TLVS.get(tag)
    if spec and spec.kind is TlvKind.CSTR:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", value, "text")
    size = max(1, spec.minimum if spec else 1) if width is None else width
    if not 0 <= value < 1 << 8 * size:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", value, f"0 to {(1 << 8 * size) - 1}")
    return octets_tlv(tag, value.to_bytes(size, "big"))


def text_tlv(tag: int, text: str) -> Tlv:
    """A NUL-terminated TLV.

    Raises:
        SmppEncodeError: the text does not fit, or the specification knows the tag for something else.
    """
    spec = TLVS.get(tag)
    if spec and spec.kind is not TlvKind.CSTR:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", len(text) + 1, f"{spec.kind.value}, not text")
    if "\0" in text:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", len(text) + 1, "no NUL inside")
    try:
        return octets_tlv(tag, text.encode("latin-1") + b"\0")
    except UnicodeEncodeError:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", len(text) + 1, "one octet a character (Latin-1)") from None


def octets_tlv(tag: int, value: bytes) -> Tlv:
    """A TLV of any octets.

    Raises:
        SmppEncodeError: no such tag, or the specification knows it and gives its value another length.
    """
    if not 1 <= tag <= 0xFFFF:
        raise SmppEncodeError("TLV", "tag", tag, "1 to 65535")
    spec = TLVS.get(tag)
    low, high = (spec.minimum, spec.maximum) if spec else (0, 0xFFFF)
    if not low <= len(value) <= high:
        raise SmppEncodeError("TLV", f"0x{tag:04X}", len(value), f"{low} to {high} octets")
    return tag, value


# --- sessions -------------------------------------------------------------------------------------------------------


@value(own_repr=True)
class GenericNack(Pdu):
    command_id: ClassVar[int] = CommandId.GENERIC_NACK
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class BindReceiverResp(BindResp):
    command_id: ClassVar[int] = CommandId.BIND_RECEIVER | RESPONSE_BIT
    system_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class BindTransmitterResp(BindResp):
    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER | RESPONSE_BIT
    system_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class BindTransceiverResp(BindResp):
    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER | RESPONSE_BIT
    system_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class _Bind(Pdu):
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class BindReceiver(_Bind):
    command_id: ClassVar[int] = CommandId.BIND_RECEIVER
    response: ClassVar[type[Pdu] | None] = BindReceiverResp


@value(own_repr=True)
class BindTransmitter(_Bind):
    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER
    response: ClassVar[type[Pdu] | None] = BindTransmitterResp


@value(own_repr=True)
class BindTransceiver(_Bind):
    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER
    response: ClassVar[type[Pdu] | None] = BindTransceiverResp


@value(own_repr=True)
class Outbind(Pdu):
    command_id: ClassVar[int] = CommandId.OUTBIND
    system_id: str = ""
    password: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class UnbindResp(Pdu):
    command_id: ClassVar[int] = CommandId.UNBIND | RESPONSE_BIT
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class Unbind(Pdu):
    command_id: ClassVar[int] = CommandId.UNBIND
    response: ClassVar[type[Pdu] | None] = UnbindResp
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class EnquireLinkResp(Pdu):
    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK | RESPONSE_BIT
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class EnquireLink(Pdu):
    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK
    response: ClassVar[type[Pdu] | None] = EnquireLinkResp
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class AlertNotification(Pdu):
    command_id: ClassVar[int] = CommandId.ALERT_NOTIFICATION
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


# --- messages -------------------------------------------------------------------------------------------------------


@value(own_repr=True)
class ShortMessage(Pdu):
    """The body that submit_sm and deliver_sm share."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class SubmitSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.SUBMIT_SM | RESPONSE_BIT
    message_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class SubmitSm(ShortMessage):
    command_id: ClassVar[int] = CommandId.SUBMIT_SM
    response: ClassVar[type[Pdu] | None] = SubmitSmResp


@value(own_repr=True)
class DeliverSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.DELIVER_SM | RESPONSE_BIT
    message_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class DeliverSm(ShortMessage):
    command_id: ClassVar[int] = CommandId.DELIVER_SM
    response: ClassVar[type[Pdu] | None] = DeliverSmResp


@value(own_repr=True)
class SmeAddress:
    """A destination of submit_multi: an address."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""

    def __repr__(self) -> str:
        return f"SmeAddress(ton={self.dest_addr_ton}, npi={self.dest_addr_npi}, addr:{len(self.destination_addr)})"


@value(own_repr=True)
class DistributionList:
    """A destination of submit_multi: a list kept by the SMSC."""

    dl_name: str = ""

    def __repr__(self) -> str:
        return f"DistributionList(dl_name:{len(self.dl_name)})"


@value(own_repr=True)
class UnsuccessSme:
    """A destination that submit_multi did not reach, and why."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    error_status_code: int = 0

    def __repr__(self) -> str:
        return f"UnsuccessSme(addr:{len(self.destination_addr)}, error_status_code={self.error_status_code})"


@value(own_repr=True)
class SubmitMultiResp(Pdu):
    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI | RESPONSE_BIT
    message_id: str | None = ""
    unsuccess_sme: tuple[UnsuccessSme, ...] = ()
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class SubmitMulti(Pdu):
    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI
    response: ClassVar[type[Pdu] | None] = SubmitMultiResp
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_address: tuple[SmeAddress | DistributionList, ...] = ()
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class DataSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.DATA_SM | RESPONSE_BIT
    message_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class DataSm(Pdu):
    command_id: ClassVar[int] = CommandId.DATA_SM
    response: ClassVar[type[Pdu] | None] = DataSmResp
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: tuple[Tlv, ...] = ()


# --- what has been submitted ----------------------------------------------------------------------------------------


@value(own_repr=True)
class QuerySmResp(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_SM | RESPONSE_BIT
    message_id: str | None = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QuerySm(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_SM
    response: ClassVar[type[Pdu] | None] = QuerySmResp
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class CancelSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.CANCEL_SM | RESPONSE_BIT
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class CancelSm(Pdu):
    command_id: ClassVar[int] = CommandId.CANCEL_SM
    response: ClassVar[type[Pdu] | None] = CancelSmResp
    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class ReplaceSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.REPLACE_SM | RESPONSE_BIT
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class ReplaceSm(Pdu):
    command_id: ClassVar[int] = CommandId.REPLACE_SM
    response: ClassVar[type[Pdu] | None] = ReplaceSmResp
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


# --- cell broadcast (5.0) and the operations of 3.3 -----------------------------------------------------------------


@value(own_repr=True)
class BroadcastSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.BROADCAST_SM | RESPONSE_BIT
    message_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class BroadcastSm(Pdu):
    command_id: ClassVar[int] = CommandId.BROADCAST_SM
    response: ClassVar[type[Pdu] | None] = BroadcastSmResp
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    message_id: str = ""
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryBroadcastSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_BROADCAST_SM | RESPONSE_BIT
    message_id: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryBroadcastSm(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_BROADCAST_SM
    response: ClassVar[type[Pdu] | None] = QueryBroadcastSmResp
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class CancelBroadcastSmResp(Pdu):
    command_id: ClassVar[int] = CommandId.CANCEL_BROADCAST_SM | RESPONSE_BIT
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class CancelBroadcastSm(Pdu):
    command_id: ClassVar[int] = CommandId.CANCEL_BROADCAST_SM
    response: ClassVar[type[Pdu] | None] = CancelBroadcastSmResp
    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class ParamRetrieveResp(Pdu):
    command_id: ClassVar[int] = CommandId.PARAM_RETRIEVE | RESPONSE_BIT
    param_value: str | None = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class ParamRetrieve(Pdu):
    command_id: ClassVar[int] = CommandId.PARAM_RETRIEVE
    response: ClassVar[type[Pdu] | None] = ParamRetrieveResp
    param_name: str = ""
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryLastMsgsResp(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_LAST_MSGS | RESPONSE_BIT
    message_id: tuple[str, ...] | None = ()
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryLastMsgs(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_LAST_MSGS
    response: ClassVar[type[Pdu] | None] = QueryLastMsgsResp
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    no_of_messages: int = 0
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryMsgDetailsResp(Pdu):
    command_id: ClassVar[int] = CommandId.QUERY_MSG_DETAILS | RESPONSE_BIT
    service_type: str | None = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_address: tuple[SmeAddress | DistributionList, ...] = ()
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    data_coding: int = 0
    short_message: bytes = b""
    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0
    tlvs: tuple[Tlv, ...] = ()


@value(own_repr=True)
class QueryMsgDetails(Pdu):
    """``sm_length`` is how much of the text to answer, in octets."""

    command_id: ClassVar[int] = CommandId.QUERY_MSG_DETAILS
    response: ClassVar[type[Pdu] | None] = QueryMsgDetailsResp
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    sm_length: int = 0
    tlvs: tuple[Tlv, ...] = ()


ALL: tuple[type[Pdu], ...] = (
    GenericNack, BindReceiver, BindReceiverResp, BindTransmitter, BindTransmitterResp, BindTransceiver,
    BindTransceiverResp, Outbind, Unbind, UnbindResp, EnquireLink, EnquireLinkResp, AlertNotification, SubmitSm,
    SubmitSmResp, DeliverSm, DeliverSmResp, SubmitMulti, SubmitMultiResp, DataSm, DataSmResp, QuerySm, QuerySmResp,
    CancelSm, CancelSmResp, ReplaceSm, ReplaceSmResp, BroadcastSm, BroadcastSmResp, QueryBroadcastSm,
    QueryBroadcastSmResp, CancelBroadcastSm, CancelBroadcastSmResp, ParamRetrieve, ParamRetrieveResp, QueryLastMsgs,
    QueryLastMsgsResp, QueryMsgDetails, QueryMsgDetailsResp,
)  # fmt: skip
