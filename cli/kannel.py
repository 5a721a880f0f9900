"""Kannel's and Jasmin's SMPP settings in our words, and a Kannel configuration as our aggregator files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli import kannel_accounts, kannel_addresses
from cli.kannel_accounts import Account, Imported
from smsc_relay.smpp.config import SmppConfig

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


def _int(value: str) -> int:
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
    number = _int(value)
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
_DEAD: Final = (
    "keepalive finds a dead link; inactivity is another thing: it ends links that answer, but carry no messages"
)
_DELAY: Final = "unset: 10 s there, each time; here waits grow from reconnect_min, 1 s, to reconnect_max, 60 s"
_ROUTES: Final = "a channel names its aggregator: there is nothing to route"
_ONE_VALUE: Final = (
    "declares a TLV there, whose value comes with each message; an item of tlvs has one value, the same in every "
    "submit of the account or of a channel: messages of RapidPro's External API have no field for a TLV, so a value "
    "that differs from message to message has no source"
)
_IN_DOUBT: Final = (
    "1 is in_doubt: resend, but for in_doubt_wait we look for a receipt that proves the message accepted, and then do "
    "not resend it. 0 (reconnect) is not offered: one missing answer would put the whole window in doubt, and "
    "keepalive finds a dead link. 2 (wait for ever) is not offered: the message would never be settled, and its place "
    "in the window never be free; an answer that comes late counts here too. Where no phone may get a message twice: "
    "in_doubt: fail or ask"
)

KANNEL: Final = (
    Knob("host", "host"),
    Knob("port", "port", convert=_int),
    Knob("receive-port", "rx_port", "with bind: pair, or bind: receiver where port is 0", _int),
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
    Knob("interface-version", "interface_version", convert=_int),
    Knob("address-range", "address_range"),
    Knob("bind-addr-ton", "bind_ton", convert=_int),
    Knob("bind-addr-npi", "bind_npi", convert=_int),
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
         f"{_DEAD}", _float),
    Knob("max-pending-submits", "window", convert=_above_zero(_int, "10 counts, the default of both")),
    Knob("throughput", "max_tps", "0: unset", lambda v: _float(v) or None),
    Knob("wait-ack", "response_timeout", convert=_above_zero(_float, "60 s count, the default of both")),
    Knob("wait-ack-expire", "in_doubt", f"unset: 1 there, though its manual says 0. {_IN_DOUBT}"),
    Knob("reconnect-delay", "reconnect_max", "waits grow from reconnect_min up to it; unset: 10 s there, 60 s here",
         _above_zero(_float, "waits grow from reconnect_min to reconnect_max")),
    Knob("msg-id-type", "id_in_response", "and id_in_receipt: 0 both decimal, 1 hex and decimal, 2 decimal and hex, "
         "3 both hex"),
    Knob("alt-charset", "alphabet", "of data_coding 0, which is written where the alphabet has a number of its own"),
    Knob("alt-addr-charset", "sender_alphabet", "unset: windows-1252 there"),
    Knob("alt-dcs", "class_coding", "1 there, class here; without a message_class there is no difference"),
    Knob("validityperiod", "validity", "minutes there, seconds here; always absolute there: validity_form: absolute",
         _above_zero(lambda v: _int(v) * 60, "the SMSC tries as long as it likes")),
    Knob("esm-class", "esm_mode", "unset: 3 there, 0 here", _int),
    Knob("priority", "priority_flag", convert=_int),
    Knob("smpp-tlv", "tlvs", f"a group {_ONE_VALUE}"),
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
    Knob("trx_to", "", _DEAD),
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
    Knob("custom_tlvs", "tlvs", _ONE_VALUE),
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

_IDS: Final = {0: ("decimal", "decimal"), 1: ("hex", "decimal"), 2: ("decimal", "hex"), 3: ("hex", "hex")}
# By their names in capitals, without what is between letters and digits.
_CHARSETS: Final = {
    "GSM": "gsm7", "GSM7": "gsm7", "GSM0338": "gsm7", "GSM338": "gsm7",
    "LATIN1": "latin1", "L1": "latin1", "ISO88591": "latin1",
    "ASCII": "ascii", "USASCII": "ascii", "ISO646US": "ascii",
    "UTF8": "utf-8",
    "UCS2": "ucs2", "UCS2BE": "ucs2", "UTF16BE": "ucs2", "ISO10646UCS2": "ucs2",
    "WINDOWS1252": "windows-1252", "CP1252": "windows-1252",
    "CYRILLIC": "iso8859-5", "ISO88595": "iso8859-5",
    "HEBREW": "iso8859-8", "ISO88598": "iso8859-8",
    "LATIN5": "iso8859-9", "L5": "iso8859-9", "ISO88599": "iso8859-9",
    "SHIFTJIS": "shift_jis", "SJIS": "shift_jis",
}  # fmt: skip
_OF_SENDERS: Final = ("latin1", "ascii", "gsm7", "windows-1252", "utf-8")
_NUMBERED: Final = ("iso8859-5", "iso8859-8", "shift_jis")  # whose data_coding is another here where none is said
_BETWEEN: Final = re.compile(r"[^A-Z0-9]")
_OCTETS, _HEADER = 140, 6  # of a short message, and of the header that joins its parts
_KNOBS: Final = {knob.name: knob for knob in KANNEL}
_PLAIN: Final = {knob.name: knob for knob in KANNEL if knob.key}
# What several of a group's keys say together is written by `_defaults`.
_TOGETHER: Final = (
    "source-addr-ton", "source-addr-npi", "source-addr-autodetect", "dest-addr-ton", "dest-addr-npi",
    "connection-timeout", "max-sms-octets",
)  # fmt: skip
_OTHERS: Final = {
    "emi": "write an aggregator of type UCP: docs/smsc/ucp.md has Kannel's keys",
    "cimd2": "write an aggregator of type CIMD2: docs/smsc/cimd2.md has Kannel's keys",
    "http": "an HTTP aggregator has a type of its own: `jangada types`",
}


class KannelError(ValueError):
    """The configuration cannot be used; the text names line and fix."""


def groups_of(text: str) -> list[tuple[int, dict[str, str]]]:
    """The groups of a Kannel configuration with the line of each.

    Raises:
        KannelError: a line is not `key = value`, or a group does not say which it is.
    """
    found: list[tuple[int, dict[str, str]]] = []
    inside = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            continue
        if not line:
            inside = False
            continue
        name, equals, value = line.partition("=")
        if name.strip() == "include":
            raise KannelError(f"line {number}: include is not followed: put all groups into one file")
        if not equals:
            raise KannelError(f"line {number}: not `key = value`")
        if not inside:
            found.append((number, {}))
            inside = True
        found[-1][1][name.strip()] = value.strip().strip('"')
    for number, group in found:
        if "group" not in group:
            raise KannelError(f"line {number}: no `group = ...` among these lines: an empty line ends a group")
    return found


def imported(text: str) -> list[Imported]:
    """An aggregator file for each SMPP account; groups of one smsc-id that can be one account are.

    Raises:
        KannelError: the text is not a Kannel configuration, or has no SMPP group.
    """
    groups = groups_of(text)
    tlvs = [group for _, group in groups if group.get("group") == "smpp-tlv"]
    smpp = [(n, g) for n, g in groups if g.get("group") == "smsc" and g.get("smsc") == "smpp"]
    if not smpp:
        raise KannelError("; ".join(["no `group = smsc` with `smsc = smpp` in it", *skipped(text)]))
    return kannel_accounts.files(_account(line, group, tlvs) for line, group in smpp)


def skipped(text: str) -> list[str]:
    """The SMSC groups that `imported` passes over, and what to do about each."""
    return [
        f"line {line}: smsc = {kind}, smsc-id {group.get('smsc-id', 'none')}: "
        + _OTHERS.get(kind, "only SMPP groups are imported; `jangada types` has the other types")
        for line, group in groups_of(text)
        if group.get("group") == "smsc" and (kind := group.get("smsc", "")) != "smpp"
    ]


def _account(line: int, group: Mapping[str, str], tlvs: list[dict[str, str]]) -> Account:
    config: dict[str, Any] = {}
    remarks: list[str] = []
    for key, value in group.items():
        if key in ("group", "smsc", "smsc-id", "smsc-password"):
            continue
        knob = _PLAIN.get(key)
        if knob is None:
            remarks.append(f"{key}: {_KNOBS[key].remark if key in _KNOBS else 'unknown here'}")
            continue
        try:
            config.update(_converted(knob, value, remarks))
        except LeftOutError as why:
            remarks.append(f"{key}: {why}")
        except ValueError:
            raise KannelError(f"group at line {line}: {key}: {value!r} is not what Kannel takes") from None
    name = group.get("smsc-id", "")
    wanted = [one for one in tlvs if name in map(str.strip, one.get("smsc-id", name).split(";"))]
    remarks += [
        f"smpp-tlv {one.get('name', '')}: the group {_ONE_VALUE}. Where one value is right for all, write it as an "
        "item of tlvs"
        for one in wanted
    ]
    kannel_accounts.roles(config, remarks)
    _defaults(config, group, remarks)
    return Account(name, line, config, group.get("smsc-password"), remarks)


def _defaults(config: dict[str, Any], group: Mapping[str, str], remarks: list[str]) -> None:
    """What Kannel does where nothing is written, and we do otherwise: as keys, else as remarks."""
    if "alt-addr-charset" not in group:
        config["sender_alphabet"] = "windows-1252"
    if "system-type" not in group:
        remarks.append("system-type: not set, which is VMA by Kannel's manual, and empty here")
    if config.get("tls"):
        remarks.append(f"use-ssl: {_KNOBS['use-ssl'].remark}")
    if "reconnect-delay" not in group:
        remarks.append(
            "reconnect-delay: not set, which is 10 s there; here waits grow from reconnect_min, 1 s, to reconnect_max, "
            "60 s: for waits as there, write reconnect_max: 10"
        )
    _silence(config, group, remarks)
    if config["bind"] == "receiver":
        return
    config.setdefault("esm_mode", 3)
    if "validity" in config:
        config["validity_form"] = "absolute"
    kannel_addresses.types(
        config,
        senders=(_said(group, "source-addr-ton", 2), _said(group, "source-addr-npi", 1)),
        recipients=(_said(group, "dest-addr-ton", 2), _said(group, "dest-addr-npi", 1)),
        detected=_said(group, "source-addr-autodetect", True),
        remarks=remarks,
    )
    _segments(config, _said(group, "max-sms-octets", _OCTETS), remarks)


def _said(group: Mapping[str, str], name: str, unset: Any) -> Any:
    """A key's value, or what counts where it is not written, or has been left out."""
    try:
        return _KNOBS[name].convert(group[name]) if name in group else unset
    except LeftOutError:
        return unset


def _silence(config: dict[str, Any], group: Mapping[str, str], remarks: list[str]) -> None:
    """How a dead link is found: by asking, or where that is not wanted by its silence."""
    if config.get("keepalive") != 0:
        if "connection-timeout" in group:
            remarks.append(f"connection-timeout: {_DEAD}")
        return
    seconds = _said(group, "connection-timeout", 300.0)
    if seconds:
        config["inactivity"] = seconds
        remarks.append(
            f"enquire-link-interval: 0 is keepalive: 0, which never asks; so inactivity logs out, and in again, after "
            f"{seconds:g} s without a word from the SMSC"
        )
    else:
        remarks.append(
            "connection-timeout: 0, and keepalive: 0 never asks: nothing finds a dead link; write keepalive: 30, or "
            "inactivity: 300 where the SMSC may not be asked"
        )


def _segments(config: dict[str, Any], octets: int, remarks: list[str]) -> None:
    """Messages of so many octets, in the units of each alphabet (3GPP TS 23.040 section 9.2.3.24)."""
    if octets == _OCTETS:
        return
    alphabet = config.get("alphabet", "gsm7")
    limits: dict[str, Any] = {"ucs2": octets // 2}
    if alphabet == "gsm7":
        limits = {"gsm7": [octets * 8 // 7, (octets - _HEADER) * 8 // 7], **limits}
    elif alphabet != "ucs2":
        remarks.append(
            f"max-sms-octets: {octets} is written for UCS-2; segment_limits: {{{alphabet}: {octets}}} is for texts in "
            f"{alphabet}, which the SMSC then hands to the phone as they are"
        )
    config["segment_limits"] = limits


def _converted(knob: Knob, value: str, remarks: list[str]) -> dict[str, Any]:
    if knob.name == "msg-id-type":
        if (ids := _IDS.get(_int(value))) is None:
            raise ValueError(value)
        response, receipt = ids
        return {"id_in_response": response, "id_in_receipt": receipt}
    if knob.name in ("alt-charset", "alt-addr-charset"):
        charset = _CHARSETS.get(_BETWEEN.sub("", value.upper()))
        if charset is None or (knob.name == "alt-addr-charset" and charset not in _OF_SENDERS):
            unset = SmppConfig.model_fields[knob.key].default
            remarks.append(f"{knob.name}: {value} is not known here, so {knob.key} is {unset} until you write another")
            return {}
        return {knob.key: charset, "data_coding": 0} if charset in _NUMBERED else {knob.key: charset}
    if knob.name in _TOGETHER:
        knob.convert(value)
        return {}
    if knob.name == "ssl-client-certkey-file":
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "wait-ack-expire":
        if value != "1":
            remarks.append(f"{knob.name}: {_IN_DOUBT}")
        return {}
    if knob.name == "alt-dcs":
        return {knob.key: "class"} if value == "1" else {}
    if knob.name == "smpp-tlv":
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "unified-prefix":
        return kannel_addresses.unified(value, remarks)
    made = knob.convert(value)
    if knob.name == "reconnect-delay" and made < 1:
        return {"reconnect_min": made, knob.key: made}  # the shortest wait is not above the longest
    return {} if made is None else {knob.key: made}
