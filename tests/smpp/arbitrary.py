"""Arbitrary PDUs for property tests: every kind, fields within SMPP 3.4's limits, TLVs as the specifications say."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from smsc_relay.smpp import pdus
from smsc_relay.smpp.constants import RESPONSE_BIT, TLVS, Tag, TlvKind
from smsc_relay.smpp.layouts import LAYOUTS, LIMITS_34, Item, Kind
from smsc_relay.smpp.pdus import DistributionList, Pdu, SmeAddress, Tlv, UnsuccessSme

_octet = st.integers(0, 255)
_character = st.characters(min_codepoint=1, max_codepoint=255)


def text(limit: int) -> st.SearchStrategy[str]:
    """C-octet strings of less than `limit` octets."""
    return st.text(_character, max_size=min(limit, 66) - 1)


def _known(tag: int) -> st.SearchStrategy[Tlv]:
    kind, low, high = TLVS[tag]
    high = min(high, low + 30)
    if kind is TlvKind.CSTR:
        value = st.binary(min_size=low - 1, max_size=high - 1).map(lambda octets: octets + b"\0")
    else:
        value = st.binary(min_size=low, max_size=high)
    return st.tuples(st.just(tag), value)


# message_payload has no place beside a short_message.
_tlv = st.one_of(
    st.sampled_from(sorted(TLVS.keys() - {Tag.MESSAGE_PAYLOAD})).flatmap(_known),
    st.tuples(st.integers(1, 0xFFFF).filter(lambda tag: tag not in TLVS), st.binary(max_size=40)),
)
tlvs: st.SearchStrategy[tuple[Tlv, ...]] = st.lists(_tlv, max_size=4).map(tuple)

_values: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INT1: _octet,
    Kind.DATE: st.sampled_from(["", "260131093000004+", "000002030000000R"]),
    Kind.OCTETS: st.binary(max_size=254),
    Kind.DESTINATIONS: st.lists(
        st.builds(SmeAddress, _octet, _octet, text(21)) | st.builds(DistributionList, text(21)), max_size=5
    ).map(tuple),
    Kind.UNSUCCESS: st.lists(
        st.builds(UnsuccessSme, _octet, _octet, text(21), st.integers(0, 2**32 - 1)), max_size=5
    ).map(tuple),
    Kind.IDS: st.lists(text(65), max_size=5).map(tuple),
}


def _value(kind: type[Pdu], item: Item) -> st.SearchStrategy[Any]:
    if item.kind is not Kind.CSTR:
        return _values[item.kind]
    strings = text(getattr(LIMITS_34, item.limit))
    if kind.command_id & RESPONSE_BIT and item is LAYOUTS[kind][0]:
        # An id that begins with a control character could also be TLVs, and may be read so: no SMSC gives such an id.
        return strings.filter(lambda string: string[:1] == "" or string[0] >= " ")
    return strings


def of(kind: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """PDUs of one kind."""
    return st.builds(kind, **{item.name: _value(kind, item) for item in LAYOUTS[kind]}, tlvs=tlvs)


any_pdu: st.SearchStrategy[Pdu] = st.sampled_from(pdus.ALL).flatmap(of)
