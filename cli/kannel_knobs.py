"""Kannel's and Jasmin's settings of an SMPP connection, each with ours: the tables of docs/smsc/smpp.md, by which a
Kannel configuration is converted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Convert = Callable[[str], Any]


@dataclass(frozen=True)
class Knob:
    """A setting of a peer: our key for it, "" where there is none, how its value is converted, and a remark."""

    name: str
    key: str = ""
    remark: str = ""
    convert: Convert = str


class LeftOutError(ValueError):
    """A value that needs no key here, or has none; the text says why."""


def integer(value: str) -> int:
    return int(value, 16 if value.lower().startswith("0x") else 10)


def _float(value: str) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def _octet(value: str) -> int:
    return _within(value, 0, 255, "a TON or NPI is 0 to 255")


def _segment(value: str) -> int:
    return _within(value, 26, 222, "segment_limits are for 26 to 222 octets, and 140 are the default of both")


def _within(value: str, least: int, most: int, otherwise: str) -> int:
    number = integer(value)
    if not least <= number <= most:
        raise LeftOutError(f"{value} is left out: {otherwise}")
    return number


def _above_zero(convert: Convert, otherwise: str) -> Convert:
    """`convert`, for a key that has no 0: `otherwise` says what counts instead."""

    def converted(value: str) -> Any:
        number = convert(value)
        if number == 0:
            raise LeftOutError(f"0 is not written: {otherwise}")
        return number

    return converted


def _flag(value: str) -> bool:
    return value.strip().lower() in ("yes", "true", "on", "1")


_STORE: Final = "the queue keeps what is not answered; see in_doubt"
_LOGS: Final = "logs are JSON lines on standard output; the level is JANGADA_LOG_LEVEL"
DEAD: Final = (
    "keepalive finds a dead link; inactivity is another thing: it ends links that answer, but carry no messages"
)
_DELAY: Final = "unset: 10 s there, each time; here waits grow from reconnect_min, 1 s, to reconnect_max, 60 s"
_ROUTES: Final = "a channel names its aggregator: there is nothing to route"
ONE_VALUE: Final = (
    "declares a TLV there, whose value comes with each message; an item of tlvs has one value, the same in every "
    "submit of the account or of a channel: messages of RapidPro's External API have no field for a TLV, so a value "
    "that differs from message to message has no source"
)
IN_DOUBT: Final = (
    "1 is in_doubt: resend, but for in_doubt_wait we look for a receipt that proves the message accepted, and then do "
    "not resend it. 0 (reconnect) is not offered: one missing answer would put the whole window in doubt, and "
    "keepalive finds a dead link. 2 (wait for ever) is not offered: the message would never be settled, and its place "
    "in the window never be free; an answer that comes late counts here too. Where no phone may get a message twice: "
    "in_doubt: fail or ask"
)

KANNEL: Final = (
    Knob("host", "host"),
    Knob("port", "port", convert=integer),
    Knob("receive-port", "rx_port", "with bind: pair, or bind: receiver where port is 0", integer),
    Knob("transceiver-mode", "bind", "yes: transceiver; no: pair", lambda v: "transceiver" if _flag(v) else "pair"),
    Knob("use-ssl", "tls", "the SMSC's certificate is checked: tls_ca and tls_server_name where it is not of a public "
         "authority and of the host's name, tls_verify: false where a VPN proves who it is", _flag),
    Knob("ssl-client-certkey-file", "tls_cert", "one file with both: write it as tls_cert and tls_key"),
    Knob("our-host", "local_host"),
    Knob("our-port", "", "the system chooses: a fixed source port blocks reconnecting for minutes"),
    Knob("our-receiver-port", "", "as our-port"),
    Knob("smsc-username", "system_id"),
    Knob("system-id", "system_id", "its older name"),
    Knob("smsc-password", "password", "a secret: written `!secret`, given with `jangada aggregator secret`"),
    Knob("system-type", "system_type", "unset: VMA there by its manual, empty here"),
    Knob("service-type", "service_type"),
    Knob("interface-version", "interface_version", convert=integer),
    Knob("address-range", "address_range"),
    Knob("bind-addr-ton", "bind_ton", convert=integer),
    Knob("bind-addr-npi", "bind_npi", convert=integer),
    Knob("source-addr-ton", "short_ton", "2 if unset; of senders that are digits without +. One with + has TON 1, and "
         "a name 5 and NPI 0, there and here", _octet),
    Knob("source-addr-npi", "short_npi", "1 if unset; of senders with + too, which have it by source_rules", _octet),
    Knob("source-addr-autodetect", "source_ton", "no: TON and NPI of the group are those of all senders, names too: "
         "source_ton and source_npi; yes, or unset: short_ton and short_npi", _flag),
    Knob("dest-addr-ton", "dest_rules", "2 if unset; of recipients without +, which here are those in national "
         "form. One with + has TON 1, there and here; dest_ton is of every number, also of those", _octet),
    Knob("dest-addr-npi", "dest_npi", "1 if unset", _octet),
    Knob("my-number", "mo_address"),
    Knob("enquire-link-interval", "keepalive", convert=_float),
    Knob("connection-timeout", "inactivity", "only where enquire-link-interval is 0; 300 s if unset there. Else "
         f"{DEAD}", _float),
    Knob("max-pending-submits", "window", convert=_above_zero(integer, "10 counts, the default of both")),
    Knob("throughput", "max_tps", "0: unset", lambda v: _float(v) or None),
    Knob("wait-ack", "response_timeout", convert=_above_zero(_float, "60 s count, the default of both")),
    Knob("wait-ack-expire", "in_doubt", f"unset: 1 there, though its manual says 0. {IN_DOUBT}"),
    Knob("reconnect-delay", "reconnect_max", "waits grow from reconnect_min up to it; unset: 10 s there, 60 s here",
         _above_zero(_float, "waits grow from reconnect_min to reconnect_max")),
    Knob("msg-id-type", "id_in_response", "and id_in_receipt: 0 both decimal, 1 hex and decimal, 2 decimal and hex, "
         "3 both hex"),
    Knob("alt-charset", "alphabet", "of data_coding 0, which is written where the alphabet has a number of its own"),
    Knob("alt-addr-charset", "sender_alphabet", "unset: windows-1252 there"),
    Knob("alt-dcs", "class_coding", "1 there, class here; without a message_class there is no difference"),
    Knob("validityperiod", "validity", "minutes there, seconds here; always absolute there: validity_form: absolute",
         _above_zero(lambda v: integer(v) * 60, "the SMSC tries as long as it likes")),
    Knob("esm-class", "esm_mode", "unset: 3 there, 0 here", integer),
    Knob("priority", "priority_flag", convert=integer),
    Knob("smpp-tlv", "tlvs", f"a group {ONE_VALUE}"),
    Knob("smsc-id", "name", "the aggregator's name; equal groups of one id are binds of one account, others get -2"),
    Knob("smsc-admin-id", "", "jangada names aggregators by their name"),
    Knob("allowed-smsc-id", "", _ROUTES),
    Knob("denied-smsc-id", "", _ROUTES),
    Knob("preferred-smsc-id", "", _ROUTES),
    Knob("allowed-smsc-id-regex", "", _ROUTES),
    Knob("denied-smsc-id-regex", "", _ROUTES),
    Knob("preferred-smsc-id-regex", "", _ROUTES),
    Knob("allowed-prefix", "", _ROUTES),
    Knob("denied-prefix", "", _ROUTES),
    Knob("preferred-prefix", "", _ROUTES),
    Knob("allowed-prefix-regex", "", _ROUTES),
    Knob("denied-prefix-regex", "", _ROUTES),
    Knob("preferred-prefix-regex", "", _ROUTES),
    Knob("unified-prefix", "dest_rules", "and mo_source_rules: recipients as it says, senders of MOs to E.164; where "
         "several prefixes fit, the longest is replaced"),
    Knob("reroute", "", _ROUTES),
    Knob("reroute-smsc-id", "", _ROUTES),
    Knob("reroute-receiver", "", _ROUTES),
    Knob("reroute-dlr", "", "receipts always go to the message's platform"),
    Knob("log-file", "", _LOGS),
    Knob("log-level", "", _LOGS),
    Knob("max-sms-octets", "segment_limits", "octets there; here septets of GSM 7-bit and UTF-16 units of UCS-2: 120 "
         "is {gsm7: [137, 130], ucs2: 60}; unset: 140 in both. max_parts limits a long message", _segment),
    Knob("dead-start", "", "disable the channels, or leave the file unapplied"),
    Knob("max-error-count", "", "a lane pauses by itself and says why"),
)  # fmt: skip

JASMIN: Final = (
    Knob("cid", "name"),
    Knob("host", "host", "unset: 127.0.0.1 there, needed here"),
    Knob("port", "port"),
    Knob("username", "system_id", "unset: smppclient there, needed here"),
    Knob("password", "password", "a secret; unset: the word password there, none here"),
    Knob("systype", "system_type"),
    Knob("ssl", "tls"),
    Knob("bind", "bind"),
    Knob("bind_ton", "bind_ton"),
    Knob("bind_npi", "bind_npi", "unset: 0 in both, though its manual says 1"),
    Knob("addr_range", "address_range"),
    Knob("bind_to", "login_timeout"),
    Knob("elink_interval", "keepalive"),
    Knob("trx_to", "", DEAD),
    Knob("res_to", "response_timeout", "unset: 120 s there, though its manual says 60; 60 s here"),
    Knob("pdu_red_to", "", "a PDU that stops half way is found by keepalive"),
    Knob("con_loss_retry", "", "always"),
    Knob("con_loss_delay", "reconnect_min", _DELAY),
    Knob("con_fail_retry", "", "always"),
    Knob("con_fail_delay", "reconnect_min", _DELAY),
    Knob("src_ton", "source_ton", "unset: 2 there, for all senders; here by the sender's look: a short code 0, a "
         "number with country code 1, a name 5"),
    Knob("src_npi", "source_npi", "unset: 1 there, for all senders; here by the sender's look: 1, and 0 for a name"),
    Knob("src_addr", "source_addr"),
    Knob("dst_ton", "dest_ton", "unset: 1 there, for all recipients; here by the number's look: 1 with country code, "
         "else short_ton, 0"),
    Knob("dst_npi", "dest_npi", "unset: 1 there, and here too: by the number's look, or short_npi"),
    Knob("proto_id", "protocol_id"),
    Knob("priority", "priority_flag"),
    Knob("validity", "validity"),
    Knob("ripf", "replace_if_present"),
    Knob("def_msg_id", "", "canned messages of the SMSC are not sent"),
    Knob("coding", "data_coding", "of texts that are not UCS-2, which is found out; what they are says alphabet. 3 is "
         "alphabet: latin1, data_coding: 3, and segment_limits: {latin1: 140}: without the last, a text with a "
         "character that GSM 7-bit has not goes in UCS-2, not as Latin-1"),
    Knob("submit_throughput", "max_tps", "unset: 1 a second there, unlimited here; 0, which is unlimited there: leave "
         "max_tps unset"),
    Knob("requeue_delay", "", "unset: 120 s there; back-off in the lane here: 5, 15, 40 s, then aside"),
    Knob("dlr_msgid", "id_in_response", "and id_in_receipt: 0 text, 1 hex and decimal, 2 decimal and hex"),
    Knob("dlr_expiry", "", "unset: a day there; here a message is known for 35 days, a receipt without one for 7"),
    Knob("custom_tlvs", "tlvs", ONE_VALUE),
    Knob("logfile", "", _LOGS),
    Knob("logrotate", "", _LOGS),
    Knob("loglevel", "", _LOGS),
    Knob("logprivacy", "", "texts and full numbers are never logged"),
    Knob("submit_error_retrial", "status_classes", "which answers are tried again; unset: RSYSERR, RTHROTTLED and "
         "RMSGQFUL there and here, RINVSCHED only there"),
    Knob("submit_max_age_smppc_not_ready", "max_age", f"unset: 20 minutes there, 24 hours here, 12 of bulk; {_STORE}"),
    Knob("submit_retrial_delay_smppc_not_ready", "", f"unset: 30 s there; here it goes when a bind is up; {_STORE}"),
    Knob("publish_submit_sm_resp", "", "every outcome is an event"),
    Knob("long_content_split", "long_messages", "sar, or udh as udh8"),
    Knob("long_content_max_parts", "max_parts", "unset: 5 there, 255 here"),
)  # fmt: skip
