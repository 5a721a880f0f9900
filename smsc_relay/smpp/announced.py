"""What an SMSC tells beside messages and receipts: of itself when it accepts a bind or refuses it, of how loaded it is,
of phones that can be reached again, and in TLVs of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from smsc_relay.protocol import Alert, Congested, Ready, Refused
from smsc_relay.said import reason
from smsc_relay.smpp import address, statuses
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import TLVS, VERSION_34, Status, StatusClass, Tag, status_name
from smsc_relay.smpp.events import BindRefused, Bound
from smsc_relay.smpp.pdus import AlertNotification, Pdu, Tlv

_OWN_MAX: Final = 1_000  # characters of an SMSC's own TLVs, in hex: they are for people
_CONGESTED: Final = 100  # highest congestion_state
_BUSY: Final = frozenset({StatusClass.TEMPORARY, StatusClass.THROTTLED})
_AVAILABILITY: Final = {0: "available", 1: "denied", 2: "unavailable"}


def ready(told: Bound, config: SmppConfig) -> Ready:
    """Of the bind's answer: who the SMSC is, and its sc_interface_version (SMPP 3.4 section 5.3.2.25)."""
    theirs = told.peer_version
    return Ready(told.system_id, "" if theirs is None else _spoken(theirs), _older(theirs, config))


def _older(theirs: int | None, config: SmppConfig) -> str:
    """Why the version that the SMSC has told is less than the account's; "": it is not, or it has told none, as many
    that speak 3.4.

    A submit has no TLV but those that a key asks for, and of a message without them the text or its parts would be
    lost: they go to an SMSC of 3.3 too. It may be wrong about itself; `interface_version: 33` is for one that is not.
    """
    if theirs is None or theirs >= config.version:
        return ""
    tlvs = "; TLVs go to it where long_messages, more_messages or tlvs ask for them" if theirs < VERSION_34 else ""
    return f"it speaks SMPP {_spoken(theirs)}, and interface_version is {config.interface_version}{tlvs}"


def _spoken(version: int) -> str:
    """interface_version as people write it."""
    return f"{version >> 4}.{version & 15}"


def refused(told: BindRefused, config: SmppConfig) -> Refused:
    """Of a bind. RBINDFAIL is what many SMSCs say to wrong credentials and to addresses that they do not know; some, to
    a bind more than they allow (`bind_classes`)."""
    status, known = told.status, statuses.meaning(told.status, config.bind_classes)
    credentials = told.status_class is StatusClass.CONFIGURATION or status == Status.ESME_RBINDFAIL
    busy = told.status_class in _BUSY
    if known is not None:
        credentials, busy = known == "credentials", known == "busy"
    return Refused(why(status, told.pdu, config), f"0x{status:08X}", credentials, busy)


def why(status: int, pdu: Pdu, config: SmppConfig) -> str:
    """The name of a refusal's status, and additional_status_info_text, where the SMSC has given one (SMPP 3.4 section
    5.3.2.11)."""
    octets = pdu.tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT) if pdu.tlvs else None
    if not octets:
        return status_name(status)
    return reason(status_name(status), octets.decode("latin-1"), (str(config.password or ""),))


def congestion(pdu: Pdu) -> list[Congested]:
    """Of congestion_state, which any response may have (SMPP 5.0 section 4.8.4.18)."""
    level = pdu.tlv_int(Tag.CONGESTION_STATE) if pdu.tlvs else None
    return [] if level is None or level > _CONGESTED else [Congested(level)]


def alert(pdu: AlertNotification, config: SmppConfig) -> Alert:
    """Of alert_notification (SMPP 3.4 section 4.12), which has no answer; with ms_availability_status (5.3.2.30)."""
    told = pdu.tlv_int(Tag.MS_AVAILABILITY_STATUS)
    phone = address.phone(pdu.source_addr_ton, pdu.source_addr, config)
    return Alert(phone, "" if told is None else _AVAILABILITY.get(told, str(told)))


def own_tlvs(tlvs: Iterable[Tlv]) -> str:
    """Those that no specification has (the network, a campaign), as `MoEvent.tlvs`; what is too long for it is left
    out."""
    found = ""
    for tag, octets in tlvs:
        if tag not in TLVS and len(found) + 2 * len(octets) + 6 <= _OWN_MAX:
            found += f"{' ' if found else ''}{tag:04X}={octets.hex().upper()}"
    return found
