"""Kannel's and Jasmin's SMPP settings in our words, and a Kannel configuration as our aggregator files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli import kannel_accounts
from cli.kannel_accounts import Account, Imported

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
_ROUTES: Final = "a channel names its aggregator: there is nothing to route"

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
    Knob("source-addr-ton", "source_ton", "only where source-addr-autodetect is no, and 2 if unset: else by the "
         "sender's look, with short_ton for short codes", _int),
    Knob("source-addr-npi", "source_npi", "as source-addr-ton; 1 if unset", _int),
    Knob("source-addr-autodetect", "", "yes is what we do where source_ton is unset"),
    Knob("dest-addr-ton", "", "a number with + has TON 1 there all the same, and ours are all international: dest_ton "
         "is of every number, also of those"),
    Knob("dest-addr-npi", "dest_npi", convert=_int),
    Knob("my-number", "mo_address"),
    Knob("enquire-link-interval", "keepalive", convert=_float),
    Knob("connection-timeout", "", _DEAD),
    Knob("max-pending-submits", "window", convert=_above_zero(_int, "10 counts, the default of both")),
    Knob("throughput", "max_tps", "0: unset", lambda v: _float(v) or None),
    Knob("wait-ack", "response_timeout", convert=_above_zero(_float, "60 s count, the default of both")),
    Knob("wait-ack-expire", "in_doubt", "1 is resend; 0 reconnects and 2 waits for ever: neither is offered"),
    Knob("reconnect-delay", "reconnect_max", "waits grow from reconnect_min up to it",
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
    Knob("smpp-tlv", "tlvs", "a group of its own there, a list here"),
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
    Knob("max-sms-octets", "", "a short message has 140 octets; max_parts limits a long one"),
    Knob("dead-start", "", "disable the channels, or leave the file unapplied"),
    Knob("max-error-count", "", "a lane pauses by itself and says why"),
)  # fmt: skip

JASMIN: Final = (
    Knob("cid", "name"),
    Knob("host", "host"),
    Knob("port", "port"),
    Knob("username", "system_id"),
    Knob("password", "password", "a secret"),
    Knob("systype", "system_type"),
    Knob("ssl", "tls"),
    Knob("bind", "bind"),
    Knob("bind_ton", "bind_ton"),
    Knob("bind_npi", "bind_npi"),
    Knob("addr_range", "address_range"),
    Knob("bind_to", "login_timeout"),
    Knob("elink_interval", "keepalive"),
    Knob("trx_to", "", _DEAD),
    Knob("res_to", "response_timeout"),
    Knob("pdu_red_to", "", "a PDU that stops half way is found by keepalive"),
    Knob("con_loss_retry", "", "always"),
    Knob("con_loss_delay", "reconnect_min", "growing up to reconnect_max"),
    Knob("con_fail_retry", "", "always"),
    Knob("con_fail_delay", "reconnect_min", "growing up to reconnect_max"),
    Knob("src_ton", "source_ton"),
    Knob("src_npi", "source_npi"),
    Knob("src_addr", "source_addr"),
    Knob("dst_ton", "dest_ton"),
    Knob("dst_npi", "dest_npi"),
    Knob("proto_id", "protocol_id"),
    Knob("priority", "priority_flag"),
    Knob("validity", "validity"),
    Knob("ripf", "replace_if_present"),
    Knob("def_msg_id", "", "canned messages of the SMSC are not sent"),
    Knob("coding", "data_coding", "texts that are not UCS-2, which is found out; what they are: alphabet (3: latin1)"),
    Knob("submit_throughput", "max_tps"),
    Knob("requeue_delay", "", "back-off in the lane: 5, 15, 40 s, then aside"),
    Knob("dlr_msgid", "id_in_response", "and id_in_receipt: 0 text, 1 hex and decimal, 2 decimal and hex"),
    Knob("dlr_expiry", "", "a message is known for 35 days, a receipt without one for 7"),
    Knob("custom_tlvs", "tlvs"),
    Knob("logfile", "", _LOGS),
    Knob("logrotate", "", _LOGS),
    Knob("loglevel", "", _LOGS),
    Knob("logprivacy", "", "texts and full numbers are never logged"),
    Knob("submit_error_retrial", "status_classes", "which answers are tried again"),
    Knob("submit_max_age_smppc_not_ready", "max_age", _STORE),
    Knob("submit_retrial_delay_smppc_not_ready", "", _STORE),
    Knob("publish_submit_sm_resp", "", "every outcome is an event"),
    Knob("long_content_split", "long_messages", "sar, or udh as udh8"),
    Knob("long_content_max_parts", "max_parts"),
)

_IDS: Final = {0: ("decimal", "decimal"), 1: ("hex", "decimal"), 2: ("decimal", "hex"), 3: ("hex", "hex")}
_CHARSETS: Final = {"GSM": "gsm7", "LATIN1": "latin1", "LATIN-1": "latin1", "ISO-8859-1": "latin1", "ASCII": "ascii",
                    "UTF-8": "utf-8", "UCS-2": "ucs2", "WINDOWS-1252": "windows-1252", "ISO-8859-5": "iso8859-5",
                    "ISO-8859-8": "iso8859-8", "ISO-8859-9": "iso8859-9", "SHIFT_JIS": "shift_jis",
                    "SHIFT-JIS": "shift_jis", "SJIS": "shift_jis"}  # fmt: skip
_OF_SENDERS: Final = ("latin1", "ascii", "gsm7", "windows-1252", "utf-8")
_NUMBERED: Final = ("iso8859-5", "iso8859-8", "shift_jis")  # whose data_coding is another here where none is said
_PREFIX: Final = re.compile(r"\+[0-9]*|[0-9]+")
_KNOBS: Final = {knob.name: knob for knob in KANNEL}
_PLAIN: Final = {knob.name: knob for knob in KANNEL if knob.key}
_TOLD_BELOW: Final = ("source-addr-autodetect", "dest-addr-ton")  # in the remarks of `_defaults`
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
            if key not in _TOLD_BELOW:
                remarks.append(f"{key}: {_KNOBS[key].remark if key in _KNOBS else 'unknown here'}")
            continue
        try:
            config.update(_converted(knob, value, group, remarks))
        except LeftOutError as why:
            remarks.append(f"{key}: {why}")
        except ValueError:
            raise KannelError(f"group at line {line}: {key}: {value!r} is not what Kannel takes") from None
    name = group.get("smsc-id", "")
    wanted = [one for one in tlvs if name in map(str.strip, one.get("smsc-id", name).split(";"))]
    remarks += [f"smpp-tlv {one.get('name', '')}: write it as an item of tlvs, with its value" for one in wanted]
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
    if config["bind"] == "receiver":
        return
    config.setdefault("esm_mode", 3)
    if "validity" in config:
        config["validity_form"] = "absolute"
    ton, npi = group.get("source-addr-ton", "2"), group.get("source-addr-npi", "1")
    if _autodetects(group):
        remarks.append(
            "source-addr-ton: short codes have TON 0 and NPI 1 here; where the SMSC wants the group's, write "
            f"short_ton: {ton} and short_npi: {npi}"
        )
    else:
        config.setdefault("source_ton", 2)
        config.setdefault("source_npi", 1)
    ton = group.get("dest-addr-ton", "2")
    remarks.append(
        "dest-addr-ton: numbers with + have TON 1 there, as all international ones here; where yours came without it, "
        f"write dest_ton: {ton}"
    )


def _autodetects(group: Mapping[str, str]) -> bool:
    return _flag(group.get("source-addr-autodetect", "yes"))


def _converted(knob: Knob, value: str, group: Mapping[str, str], remarks: list[str]) -> dict[str, Any]:
    if knob.name == "msg-id-type":
        if (ids := _IDS.get(_int(value))) is None:
            raise ValueError(value)
        response, receipt = ids
        return {"id_in_response": response, "id_in_receipt": receipt}
    if knob.name in ("alt-charset", "alt-addr-charset"):
        charset = _CHARSETS.get(value.upper())
        if charset is None or (knob.name == "alt-addr-charset" and charset not in _OF_SENDERS):
            remarks.append(f"{knob.name}: {value} is not known here; {knob.key} has what is")
            return {}
        return {knob.key: charset, "data_coding": 0} if charset in _NUMBERED else {knob.key: charset}
    if knob.name in ("source-addr-ton", "source-addr-npi") and _autodetects(group):
        return {}
    if knob.name == "ssl-client-certkey-file":
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "wait-ack-expire":
        if value != "1":
            remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "alt-dcs":
        return {knob.key: "class"} if value == "1" else {}
    if knob.name == "smpp-tlv":
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "unified-prefix":
        return _unified(value, remarks)
    made = knob.convert(value)
    if knob.name == "reconnect-delay" and made < 1:
        return {"reconnect_min": made, knob.key: made}  # the shortest wait is not above the longest
    return {} if made is None else {knob.key: made}


def _unified(value: str, remarks: list[str]) -> dict[str, Any]:
    """`wanted,other,...;...` as rules. Kannel has them for recipients of MTs and senders of MOs alike; ours bring MO
    senders to E.164 where Kannel's prefix is that of a national form."""
    sent: list[tuple[str, str]] = []
    told: list[tuple[str, str]] = []
    for group in filter(None, (one.strip() for one in value.split(";"))):
        wanted, *others = (one.strip() for one in group.split(","))
        if not all(_PREFIX.fullmatch(one) for one in (wanted, *others)):
            raise ValueError(group)
        # Rules see + where an address begins with 00: such prefixes are one. A prefix for itself is no rule.
        named = [_international(one) for one in others]
        sent += [(one, wanted) for one in named if one != wanted]
        whole = _international(wanted)
        if whole.startswith("+"):
            told += [(one, whole) for one in named if one != whole]
        elif (ours := next((one for one in named if one.startswith("+")), "")) != "":
            told.append((wanted, ours))
        else:
            remarks.append(f"unified-prefix: {group} leaves senders of MOs in national form: set country")
    both = {"dest_rules": sent, "mo_source_rules": told}
    return {key: _prefix_rules(pairs) for key, pairs in both.items() if pairs}


def _international(prefix: str) -> str:
    return f"+{prefix[2:]}" if prefix.startswith("00") else prefix


def _prefix_rules(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    """The longest prefix first, as a rule is the only one for an address; of equals the first."""
    found: dict[str, str] = {}
    for prefix, wanted in sorted(pairs, key=lambda pair: -len(pair[0])):
        # A prefix with neither + nor 0 is a country's, or a short code's: + is before the first.
        optional = "" if prefix.startswith(("+", "0")) else r"\+?"
        found.setdefault(f"{optional}{re.escape(prefix)}(.*)", rf"{wanted}\g<1>")
    return [{"match": match, "replace": replace} for match, replace in found.items()]
