"""A Kannel configuration as our aggregator files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cli import kannel_addresses, smsc_accounts
from cli.kannel_knobs import IN_DOUBT, KANNEL
from cli.smsc_accounts import Account, Imported, Peer, UnreadableError
from cli.smsc_knobs import DEAD, ONE_VALUE, Knob, LeftOutError, integer
from smsc_relay.smpp.config import SmppConfig

_PEER: Final = Peer(group="group", name="smsc-id", joined_by="smsc-id", rate="throughput")
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
_BEGINNING: Final = re.compile(r"^\s*(group|include)\s*=", re.M)
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


def recognised(text: str) -> bool:
    """Whether this is a Kannel configuration, or means to be one."""
    return _BEGINNING.search(text) is not None


def groups_of(text: str) -> list[tuple[int, dict[str, str]]]:
    """The groups of a Kannel configuration with the line of each.

    Raises:
        UnreadableError: a line is not `key = value`, or a group does not say which it is.
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
            raise UnreadableError(f"line {number}: include is not followed: put all groups into one file")
        if not equals:
            raise UnreadableError(f"line {number}: not `key = value`")
        if not inside:
            found.append((number, {}))
            inside = True
        found[-1][1][name.strip()] = value.strip().strip('"')
    for number, group in found:
        if "group" not in group:
            raise UnreadableError(f"line {number}: no `group = ...` among these lines: an empty line ends a group")
    return found


def imported(text: str) -> list[Imported]:
    """An aggregator file for each SMPP account; groups of one smsc-id that can be one account are.

    Raises:
        UnreadableError: the text is not a Kannel configuration, or has no SMPP group.
    """
    groups = groups_of(text)
    tlvs = [group for _, group in groups if group.get("group") == "smpp-tlv"]
    smpp = [(n, g) for n, g in groups if g.get("group") == "smsc" and g.get("smsc") == "smpp"]
    if not smpp:
        raise UnreadableError("; ".join(["no `group = smsc` with `smsc = smpp` in it", *skipped(text)]))
    return smsc_accounts.files(_account(line, group, tlvs) for line, group in smpp)


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
            raise UnreadableError(f"group at line {line}: {key}: {value!r} is not what Kannel takes") from None
    name = group.get("smsc-id", "")
    wanted = [one for one in tlvs if name in map(str.strip, one.get("smsc-id", name).split(";"))]
    remarks += [
        f"smpp-tlv {one.get('name', '')}: the group {ONE_VALUE}. Where one value is right for all, write it as an "
        "item of tlvs"
        for one in wanted
    ]
    _roles(config, remarks)
    _defaults(config, group, remarks)
    alone = "" if name else str(config.get("host"))
    return Account(_PEER, name, (alone, name), line, config, group.get("smsc-password"), remarks)


def _roles(config: dict[str, Any], remarks: list[str]) -> None:
    """Kannel's two ports as `bind`, `port` and `rx_port`; 0 is none."""
    transmit, receive = config.pop("port", 0), config.pop("rx_port", 0)
    if config.get("bind") == "transceiver":
        receive = 0
        if config.get("interface_version") == 33:
            # Kannel binds a transceiver as 33 all the same, which SMPP 3.3 does not have.
            del config["interface_version"]
            remarks.append("interface-version: 33 has no transceiver, so 34 is what the bind says; where the SMSC "
                           "refuses it, write interface_version: 33 with bind: pair")  # fmt: skip
    elif bool(transmit) == bool(receive):
        config["bind"] = "pair"
    else:
        config["bind"] = "transmitter" if transmit else "receiver"
    if not transmit and not receive:
        remarks.append("port: none is set, with which Kannel does not connect; 2775 is what counts here")
    elif transmit or receive:
        config["port"] = transmit or receive
    if transmit and receive and receive != transmit:
        config["rx_port"] = receive


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
            remarks.append(f"connection-timeout: {DEAD}")
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
        if (ids := _IDS.get(integer(value))) is None:
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
            remarks.append(f"{knob.name}: {IN_DOUBT}")
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
