"""The order of the mandatory fields of every PDU (SMPP 3.3, 3.4 and 5.0), and how long they may be when written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from smsc_relay.smpp import pdus
from smsc_relay.smpp.pdus import Pdu

DATE_SIZE: Final = 16  # characters of a time (SMPP 3.4 section 7.1.1)


class Kind(Enum):
    """How a field is written."""

    CSTR = "NUL-terminated"
    DATE = "NUL, or 16 characters and NUL"
    INT1 = "one octet"
    OCTETS = "one octet of length, octets"
    DESTINATIONS = "submit_multi's destinations"
    UNSUCCESS = "submit_multi_resp's failures"
    IDS = "query_last_msgs_resp's ids"


@dataclass(frozen=True, slots=True)
class Limits:
    """Longest values when encoding: octets, a C-octet string's NUL included; destinations by number."""

    system_id: int = 16
    password: int = 9
    system_type: int = 13
    address_range: int = 41
    service_type: int = 6
    address: int = 21
    long_address: int = 65  # of data_sm and alert_notification
    message_id: int = 65
    short_message: int = 254
    destinations: int = 254
    dl_name: int = 21
    param_name: int = 32
    param_value: int = 256
    text_twice: bool = False  # in short_message and in message_payload, which is against the rules and met all the same


LIMITS_34: Final = Limits()
LIMITS_33: Final = Limits(message_id=9, short_message=160)
LIMITS_50: Final = Limits(short_message=255, destinations=255)
LIMITS_GENEROUS: Final = Limits(
    system_id=256, password=256, system_type=256, address_range=256, service_type=256, address=256, long_address=256,
    message_id=256, short_message=255, destinations=255, dl_name=256, param_name=256,
    text_twice=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One field: its name, its kind, and which limit it has ("" for none)."""

    name: str
    kind: Kind
    limit: str = ""


def _items(text: str) -> tuple[Item, ...]:
    """`name` is one octet, `name:limit` a C-octet string, `name!` a date; other kinds are named after a `*`."""
    found = []
    for word in text.split():
        name, _, limit = word.partition(":")
        if name.endswith("!"):
            found.append(Item(name[:-1], Kind.DATE))
        elif "*" in name:
            name, _, kind = name.partition("*")
            found.append(Item(name, Kind[kind], "short_message" if kind == "OCTETS" else "address"))
        else:
            found.append(Item(name, Kind.CSTR if limit else Kind.INT1, limit))
    return tuple(found)


_BIND = ("system_id:system_id password:password system_type:system_type interface_version addr_ton addr_npi "
         "address_range:address_range")  # fmt: skip
_SRC = "source_addr_ton source_addr_npi source_addr:address"
_DST = "dest_addr_ton dest_addr_npi destination_addr:address"
_TIMES = "schedule_delivery_time! validity_period!"
_TAIL = f"{_TIMES} registered_delivery replace_if_present_flag data_coding sm_default_msg_id short_message*OCTETS"
_SHORT = f"service_type:service_type {_SRC} {_DST} esm_class protocol_id priority_flag {_TAIL}"
_ID = "message_id:message_id"
_LONG_SRC, _LONG_DST = _SRC.replace(":address", ":long_address"), _DST.replace(":address", ":long_address")

LAYOUTS: Final[dict[type[Pdu], tuple[Item, ...]]] = {
    kind: _items(text)
    for kind, text in {
        **dict.fromkeys(pdus.ALL, ""),
        pdus.BindReceiver: _BIND,
        pdus.BindTransmitter: _BIND,
        pdus.BindTransceiver: _BIND,
        pdus.BindReceiverResp: "system_id:system_id",
        pdus.BindTransmitterResp: "system_id:system_id",
        pdus.BindTransceiverResp: "system_id:system_id",
        pdus.Outbind: "system_id:system_id password:password",
        pdus.AlertNotification: f"{_LONG_SRC} esme_addr_ton esme_addr_npi esme_addr:long_address",
        pdus.SubmitSm: _SHORT,
        pdus.SubmitSmResp: _ID,
        pdus.DeliverSm: _SHORT,
        pdus.DeliverSmResp: _ID,
        pdus.SubmitMulti: f"service_type:service_type {_SRC} dest_address*DESTINATIONS esm_class protocol_id "
        f"priority_flag {_TAIL}",
        pdus.SubmitMultiResp: f"{_ID} unsuccess_sme*UNSUCCESS",
        pdus.DataSm: f"service_type:service_type {_LONG_SRC} {_LONG_DST} esm_class registered_delivery data_coding",
        pdus.DataSmResp: _ID,
        pdus.QuerySm: f"{_ID} {_SRC}",
        pdus.QuerySmResp: f"{_ID} final_date! message_state error_code",
        pdus.CancelSm: f"service_type:service_type {_ID} {_SRC} {_DST}",
        pdus.ReplaceSm: f"{_ID} {_SRC} {_TIMES} registered_delivery sm_default_msg_id short_message*OCTETS",
        pdus.BroadcastSm: f"service_type:service_type {_SRC} {_ID} priority_flag {_TIMES} replace_if_present_flag "
        "data_coding sm_default_msg_id",
        pdus.BroadcastSmResp: _ID,
        pdus.QueryBroadcastSm: f"{_ID} {_SRC}",
        pdus.QueryBroadcastSmResp: _ID,
        pdus.CancelBroadcastSm: f"service_type:service_type {_ID} {_SRC}",
        pdus.ParamRetrieve: "param_name:param_name",
        pdus.ParamRetrieveResp: "param_value:param_value",
        pdus.QueryLastMsgs: f"{_SRC} no_of_messages",
        pdus.QueryLastMsgsResp: "message_id*IDS",
        pdus.QueryMsgDetails: f"{_ID} {_SRC} sm_length",
        pdus.QueryMsgDetailsResp: f"service_type:service_type {_SRC} dest_address*DESTINATIONS protocol_id "
        f"priority_flag {_TIMES} registered_delivery data_coding short_message*OCTETS {_ID} final_date! message_state "
        "error_code",
    }.items()
}
