"""Kannel's and Jasmin's SMPP settings in our words, and a Kannel configuration as our aggregator files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Convert = Callable[[str], Any]


@dataclass(frozen=True)
class Knob:
    """A setting of a peer: our key for it, "" where there is none, how its value is converted, and a remark."""

    name: str
    key: str = ""
    remark: str = ""
    convert: Convert = str


def _seconds(value: str) -> int | None:
    return int(value) or None


def _flag(value: str) -> bool:
    return value.strip().lower() in ("yes", "true", "on", "1")


_STORE: Final = "the queue keeps what is not answered; see in_doubt"
_LOGS: Final = "logs are JSON lines on standard output; the level is JANGADA_LOG_LEVEL"
_ROUTES: Final = "a channel names its aggregator: there is nothing to route"

KANNEL: Final = (
    Knob("host", "host"),
    Knob("port", "port", convert=int),
    Knob("receive-port", "rx_port", "with bind: pair, or bind: receiver where port is 0", int),
    Knob("transceiver-mode", "bind", "yes: transceiver; no: pair", lambda v: "transceiver" if _flag(v) else "pair"),
    Knob("use-ssl", "tls", convert=_flag),
    Knob("ssl-client-certkey-file", "tls_cert", "one file with both: write it as tls_cert and tls_key"),
    Knob("our-host", "local_host"),
    Knob("our-port", "", "the system chooses: a fixed source port blocks reconnecting for minutes"),
    Knob("our-receiver-port", "", "as our-port"),
    Knob("smsc-username", "system_id"),
    Knob("system-id", "system_id", "its older name"),
    Knob("smsc-password", "password", "a secret: written `!secret`, given with `jangada aggregator secret`"),
    Knob("system-type", "system_type"),
    Knob("service-type", "service_type"),
    Knob("interface-version", "interface_version", convert=int),
    Knob("address-range", "address_range"),
    Knob("bind-addr-ton", "bind_ton", convert=int),
    Knob("bind-addr-npi", "bind_npi", convert=int),
    Knob("source-addr-ton", "source_ton", "only where source-addr-autodetect is no: else by the sender's look", int),
    Knob("source-addr-npi", "source_npi", "as source-addr-ton", int),
    Knob("source-addr-autodetect", "", "yes is what we do where source_ton is unset"),
    Knob("dest-addr-ton", "dest_ton", convert=int),
    Knob("dest-addr-npi", "dest_npi", convert=int),
    Knob("my-number", "mo_address"),
    Knob("enquire-link-interval", "keepalive", convert=float),
    Knob("connection-timeout", "inactivity", convert=_seconds),
    Knob("max-pending-submits", "window", convert=int),
    Knob("throughput", "max_tps", convert=float),
    Knob("wait-ack", "response_timeout", convert=float),
    Knob("wait-ack-expire", "in_doubt", "1 is resend; 0 reconnects and 2 waits for ever: neither is offered"),
    Knob("reconnect-delay", "reconnect_max", "waits grow from reconnect_min up to it", float),
    Knob("msg-id-type", "id_in_response", "and id_in_receipt: 0 both decimal, 1 hex and decimal, 2 decimal and hex, "
         "3 both hex"),
    Knob("alt-charset", "alphabet"),
    Knob("alt-addr-charset", "sender_alphabet"),
    Knob("alt-dcs", "data_coding", "message classes are not sent; the number itself can be set"),
    Knob("validityperiod", "validity", "minutes there, seconds here", lambda v: int(v) * 60),
    Knob("esm-class", "esm_mode", convert=int),
    Knob("priority", "priority_flag", convert=int),
    Knob("smpp-tlv", "tlvs", "a group of its own there, a list here"),
    Knob("smsc-id", "name", "the aggregator's name"),
    Knob("smsc-admin-id", "", "jangada names aggregators by their name"),
    Knob("allowed-smsc-id", "", _ROUTES),
    Knob("denied-smsc-id", "", _ROUTES),
    Knob("preferred-smsc-id", "", _ROUTES),
    Knob("allowed-prefix", "", _ROUTES),
    Knob("denied-prefix", "", _ROUTES),
    Knob("preferred-prefix", "", _ROUTES),
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
    Knob("trx_to", "inactivity"),
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
    Knob("coding", "data_coding", "texts that are not UCS-2; which they are is found out"),
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

_IDS: Final = {"0": ("decimal", "decimal"), "1": ("hex", "decimal"), "2": ("decimal", "hex"), "3": ("hex", "hex")}
_CHARSETS: Final = {"GSM": "gsm7", "LATIN1": "latin1", "LATIN-1": "latin1", "ISO-8859-1": "latin1", "ASCII": "ascii",
                    "UTF-8": "utf-8", "UCS-2": "ucs2", "WINDOWS-1252": "windows-1252"}  # fmt: skip
_PREFIX: Final = re.compile(r"\+[0-9]*|[0-9]+")
_PLAIN: Final = {knob.name: knob for knob in KANNEL if knob.key}


class KannelError(ValueError):
    """The configuration cannot be used; the text names line and fix."""


@dataclass
class Imported:
    """One aggregator file, and what a person must look at."""

    name: str
    text: str
    remarks: list[str] = field(default_factory=list)


def groups_of(text: str) -> list[tuple[int, dict[str, str]]]:
    """The groups of a Kannel configuration with the line of each.

    Raises:
        KannelError: a line is not `key = value`.
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
    return found


def imported(text: str) -> list[Imported]:
    """An aggregator file for each SMPP group.

    Raises:
        KannelError: the text is not a Kannel configuration, or has no SMPP group.
    """
    groups = groups_of(text)
    tlvs = [group for _, group in groups if group.get("group") == "smpp-tlv"]
    smpp = [(n, g) for n, g in groups if g.get("group") == "smsc" and g.get("smsc") == "smpp"]
    if not smpp:
        raise KannelError("no `group = smsc` with `smsc = smpp` in it")
    return [_one(line, group, tlvs) for line, group in smpp]


def _one(line: int, group: Mapping[str, str], tlvs: list[dict[str, str]]) -> Imported:
    name = re.sub(r"[^a-z0-9-]+", "-", (group.get("smsc-id") or group.get("host", "smsc")).lower()).strip("-")[:40]
    config: dict[str, Any] = {}
    remarks: list[str] = []
    for key, value in group.items():
        if key in ("group", "smsc", "smsc-id", "smsc-password"):
            continue
        knob = _PLAIN.get(key)
        if knob is None:
            known = next((one.remark for one in KANNEL if one.name == key), "unknown here")
            remarks.append(f"{key}: {known}")
            continue
        try:
            config.update(_converted(knob, value, group, remarks))
        except ValueError:
            raise KannelError(f"group at line {line}: {key}: {value!r} is not what Kannel takes") from None
    if "smsc-password" in group:
        remarks.append(f"password: give it with `jangada aggregator secret {name} password`")
    wanted = [one for one in tlvs if name_of(group) in one.get("smsc-id", name_of(group)).split(";")]
    remarks += [f"smpp-tlv {one.get('name', '')}: write it as an item of tlvs, with its value" for one in wanted]
    _roles(config, group)
    return Imported(name, _written(name, config, "smsc-password" in group), remarks)


def name_of(group: Mapping[str, str]) -> str:
    """A group's smsc-id."""
    return group.get("smsc-id", "")


def _converted(knob: Knob, value: str, group: Mapping[str, str], remarks: list[str]) -> dict[str, Any]:
    if knob.name == "msg-id-type":
        response, receipt = _IDS[f"{int(value, 0)}"]
        return {"id_in_response": response, "id_in_receipt": receipt}
    if knob.name in ("alt-charset", "alt-addr-charset"):
        charset = _CHARSETS.get(value.upper())
        if charset is None:
            remarks.append(f"{knob.name}: {value} is not known here; {knob.key} has what is")
        return {knob.key: charset} if charset else {}
    if knob.name in ("source-addr-ton", "source-addr-npi") and _flag(group.get("source-addr-autodetect", "yes")):
        return {}
    if knob.name == "ssl-client-certkey-file":
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "wait-ack-expire":
        if value != "1":
            remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name in ("alt-dcs", "smpp-tlv"):
        remarks.append(f"{knob.name}: {knob.remark}")
        return {}
    if knob.name == "unified-prefix":
        return _unified(value, remarks)
    made = knob.convert(value)
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


def _roles(config: dict[str, Any], group: Mapping[str, str]) -> None:
    """Kannel's two ports as one bind type."""
    transmit, receive = int(group.get("port", "0")), int(group.get("receive-port", "0"))
    if _flag(group.get("transceiver-mode", "no")):
        config["bind"] = "transceiver"
        config.pop("rx_port", None)
    elif transmit and receive:
        config["bind"] = "pair"
        if receive == transmit:
            config.pop("rx_port", None)
    else:
        config["bind"] = "transmitter" if transmit else "receiver"
        config["port"] = transmit or receive
        config.pop("rx_port", None)


def _written(name: str, config: Mapping[str, Any], password: bool) -> str:
    lines = [f"name: {name}", "type: SMPP", "config:"]
    lines += [f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in config.items()]
    if password:
        lines.append("  password: !secret")
    lines += [
        'channels: []  # - {uuid: ..., address: "...", country: ..., workspace: ..., platform: ...}',
    ]
    return "\n".join(lines) + "\n"
