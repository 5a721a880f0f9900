"""Messages as data_sm (SMPP 3.4 section 4.7.1), for SMSCs that want no submit_sm, or take longer texts this way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import DataSm, SubmitSm, int_tlv, octets_tlv

if TYPE_CHECKING:
    from smsc_relay.smpp.config import SmppConfig

# Fields of submit_sm that data_sm has not, by the keys that ask for them.
_NOT_THERE: Final = ("protocol_id", "priority_flag", "replace_if_present", "schedule")


def check(config: SmppConfig) -> None:
    """What data_sm cannot say must not be asked for.

    Raises:
        ValueError: it is.
    """
    if config.interface_version == 33:
        raise ValueError("interface_version 33 has no data_sm")
    if unsaid := [key for key in _NOT_THERE if getattr(config, key)]:
        raise ValueError(f"submit_with: data_sm has no field for {', '.join(unsaid)}")
    if config.validity and any(one.tag == Tag.QOS_TIME_TO_LIVE for one in config.tlvs):
        raise ValueError("validity is written as qos_time_to_live (0x0017) with submit_with: data_sm, and tlvs has it")


def of(body: SubmitSm, config: SmppConfig) -> DataSm:
    """The same message; its text goes into message_payload, and validity into qos_time_to_live."""
    tlvs = body.tlvs
    if body.tlv(Tag.MESSAGE_PAYLOAD) is None:
        tlvs = (*tlvs, octets_tlv(Tag.MESSAGE_PAYLOAD, body.short_message))
    if config.validity:
        tlvs = (*tlvs, int_tlv(Tag.QOS_TIME_TO_LIVE, config.validity))
    if config.more_messages and body.tlv(Tag.MORE_MESSAGES_TO_SEND) is None:  # in data_sm its absence says more
        tlvs = (*tlvs, int_tlv(Tag.MORE_MESSAGES_TO_SEND, 0))
    return DataSm(
        body.service_type, body.source_addr_ton, body.source_addr_npi, body.source_addr, body.dest_addr_ton,
        body.dest_addr_npi, body.destination_addr, body.esm_class, body.registered_delivery, body.data_coding, tlvs,
    )  # fmt: skip
