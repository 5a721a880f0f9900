"""Jasmin's SMPP client connectors, as its console shows them, as our aggregator files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cli import jasmin_console, smsc_accounts
from cli.jasmin_console import Shown
from cli.jasmin_knobs import BASES, CODINGS, JASMIN, NO_EFFECT, OF_THE_FILE, PER_MESSAGE
from cli.smsc_accounts import Account, Imported, Peer, UnreadableError
from cli.smsc_knobs import DEAD, ROUTES, Knob, LeftOutError, integer, real
from smsc_relay.smpp.config import SmppConfig

recognised = jasmin_console.recognised

_PEER: Final = Peer(group="connector", name="cid", joined_by="username", rate="submit_throughput")
_KNOBS: Final = {knob.name: knob for knob in JASMIN}
# What Jasmin 0.11.1 shows where nothing has been set.
_UNSET: Final = {
    "host": "127.0.0.1", "port": "2775", "username": "smppclient", "systype": "", "ssl": "no", "bind": "transceiver",
    "bind_ton": "0", "bind_npi": "0", "addr_range": "None", "bind_to": "30", "elink_interval": "30", "trx_to": "300",
    "res_to": "120", "pdu_red_to": "10", "con_loss_retry": "yes", "con_loss_delay": "10", "con_fail_retry": "yes",
    "con_fail_delay": "10", "src_ton": "2", "src_npi": "1", "src_addr": "None", "dst_ton": "1", "dst_npi": "1",
    "proto_id": "None", "priority": "0", "validity": "None", "ripf": "0", "def_msg_id": "0", "coding": "0",
    "submit_throughput": "1", "requeue_delay": "120", "dlr_msgid": "0", "dlr_expiry": "86400", "custom_tlvs": "None",
    "logrotate": "midnight", "loglevel": "20", "logprivacy": "no",
}  # fmt: skip
_NEEDED: Final = ("host", "username")
_PLACES: Final = frozenset({"host", "port", "bind", "system_id"})  # written though they may be our defaults
# What a receiver has no use for.
_OF_SENDING: Final = frozenset((
    "res_to", "src_ton", "src_npi", "src_addr", "dst_ton", "dst_npi", "proto_id", "priority", "validity", "ripf",
    "def_msg_id", "coding", "submit_throughput", "requeue_delay", "dlr_expiry", "custom_tlvs",
))  # fmt: skip
_TLV_TYPES: Final = {"Int1": 1, "Int2": 2, "Int4": 4, "Int8": 8, "OctetString": 0, "COctetString": 0}
_MODULES: Final = {
    "mtrouter": ROUTES,
    "morouter": "MOs go to the platform of their channel",
    "filter": ROUTES,
    "mtinterceptor": "scripts have no place here",
    "mointerceptor": "scripts have no place here",
    "httpccm": "a platform has base_url and credential: docs/aggregators.md",
    "user": "who sends is a platform with a token: `jangada token new`",
    "group": "who sends is a platform with a token: `jangada token new`",
}


def imported(text: str) -> list[Imported]:
    """An aggregator file for each connector; those of one username at one host that can be one account are. Of a
    connector that is shown twice the last counts.

    Raises:
        UnreadableError: no connector is shown, or one has a value that Jasmin does not take.
    """
    session = jasmin_console.read(text)
    last = {one.settings["cid"]: one for one in session.shown}
    return smsc_accounts.files(_account(one, session.listed.get(cid, "")) for cid, one in last.items())


def skipped(text: str) -> list[str]:
    """What the session has beside the connectors that are shown, and what to do about each."""
    session = jasmin_console.read(text)
    shown = {one.settings["cid"] for one in session.shown}
    listed = [cid for cid in session.listed if cid not in shown]
    told = [f"connector {cid}: listed, but not shown: `smppccm -s {cid}`" for cid in listed]
    asked = [(module, line) for module, line in session.modules.items() if module in _MODULES]
    return told + [f"line {line}: {module}: {_MODULES[module]}" for module, line in asked]


def _account(shown: Shown, state: str) -> Account:
    settings = _UNSET | shown.settings
    config: dict[str, Any] = {}
    remarks = [f"{name}: not shown, which is {_UNSET[name]} there" for name in _NEEDED if not shown.settings.get(name)]
    if state == "stopped":
        remarks.append("stopped there: leave the file unapplied until it is to bind")
    sending = settings["bind"] != "receiver"
    for name, value in settings.items():
        if name in ("cid", "password") or (name in _OF_SENDING and not sending):
            continue
        if name not in _KNOBS:
            remarks.append(f"{name}: unknown here")
            continue
        try:
            config |= _converted(_KNOBS[name], value, settings, remarks)
        except LeftOutError as why:
            remarks.append(f"{name}: {why}")
        except (ValueError, KeyError):
            what = f"connector {settings['cid']} at line {shown.line}: {name}: {value!r} is not what Jasmin takes"
            raise UnreadableError(what) from None
    _waits(config)
    _defaults(config, sending, remarks)
    fields = SmppConfig.model_fields
    config = {
        key: config[key] for key in sorted(config, key=_order) if key in _PLACES or config[key] != fields[key].default
    }
    bunch = (str(config["host"]), str(config["system_id"]))
    return Account(_PEER, settings["cid"], bunch, shown.line, config, shown.settings.get("password", ""), remarks)


def _order(key: str) -> int:
    """As in the table, and what it does not have at the end."""
    return next((place for place, knob in enumerate(JASMIN) if knob.key == key), len(JASMIN))


def _defaults(config: dict[str, Any], sending: bool, remarks: list[str]) -> None:
    """What Jasmin does unasked, and we do otherwise."""
    if config.get("tls"):
        remarks.append(f"ssl: {_KNOBS['ssl'].remark}")
    if not sending:
        return
    config["esm_mode"] = 3
    remarks.append(
        "window: as unset, 10 submits without an answer; a connector of Jasmin's waits for each answer before it sends "
        "the next message: ask how many the SMSC takes, and write window: 1 where it is no more"
    )


def _waits(config: dict[str, Any]) -> None:
    """The shortest wait is not above the longest."""
    longest = config.get("reconnect_max", SmppConfig.model_fields["reconnect_max"].default)
    if config.get("reconnect_min", 0) > longest:
        config["reconnect_min"] = longest


def _converted(knob: Knob, value: str, settings: Mapping[str, str], remarks: list[str]) -> dict[str, Any]:
    match knob.name:
        case "trx_to":
            return _silence(value, settings, remarks)
        case "src_addr":
            return _sender(value, remarks)
        case "priority" | "validity" | "coding":
            return _without_effect(knob, value, remarks)
        case "dlr_msgid":
            return _bases(value)
        case "custom_tlvs":
            return _tlvs(value, remarks)
        case "submit_throughput" if value == "1":
            remarks.append("submit_throughput: 1, which is what Jasmin has unless told: ask what the SMSC takes")
        case "logfile" if value.endswith(f"/default-{settings['cid']}.log"):
            return {}
        case name if name in OF_THE_FILE or not knob.key:
            if value not in ("", "None", _UNSET.get(name)):
                remarks.append(f"{name}: {value}: {knob.remark}")
            return {}
    made = knob.convert(value)
    return {} if made is None else {knob.key: made}


def _silence(value: str, settings: Mapping[str, str], remarks: list[str]) -> dict[str, Any]:
    """How a dead link is found: by asking, or where that comes too late or never, by its silence."""
    seconds, asks = real(value), real(settings["elink_interval"])
    if asks and not 0 < seconds <= asks:
        if value != _UNSET["trx_to"]:
            remarks.append(f"trx_to: {DEAD}")
        return {}
    if seconds:
        remarks.append(
            f"trx_to: {seconds:g} s go by before elink_interval, {asks:g}, asks (0: never); so inactivity logs out, "
            f"and in again, after {seconds:g} s without a word from the SMSC"
        )
        return {"inactivity": seconds}
    remarks.append(
        "trx_to: 0, and keepalive: 0 never asks: nothing finds a dead link; write keepalive: 30, or inactivity: 300 "
        "where the SMSC may not be asked"
    )
    return {}


def _sender(value: str, remarks: list[str]) -> dict[str, Any]:
    if value not in ("", "None"):
        remarks.append(
            f"src_addr: {value} is left out: it is of messages without a sender there, and here each has its channel's "
            f"address; where yours had none, write source_addr: {json.dumps(value)}"
        )
    return {}


def _without_effect(knob: Knob, value: str, remarks: list[str]) -> dict[str, Any]:
    """What Jasmin shows, and none of its messages has: as what to write where it is wanted all the same."""
    number = 0 if value == "None" else int(real(value))
    if number <= 0:
        return {}
    wanted: Mapping[str, Any] | None = {knob.key: number}
    if knob.name == "validity":
        wanted = {"validity": number, "validity_form": "absolute"}
    elif knob.name == "coding":
        wanted = CODINGS.get(number)
    told = "there is no key for it" if wanted is None else f"where it is wanted all the same, write {_lines(wanted)}"
    remarks.append(f"{knob.name}: {value} is left out: {NO_EFFECT}; {told}")
    return {}


def _lines(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {json.dumps(value).replace(chr(34), '')}" for key, value in keys.items())


def _bases(value: str) -> dict[str, Any]:
    if (bases := BASES.get(integer(value))) is None:
        raise ValueError(value)
    return bases


def _tlvs(value: str, remarks: list[str]) -> dict[str, Any]:
    """`tag,type,value[,required|optional];...` as items of tlvs."""
    if value.lower() in ("", "none", "[]"):
        return {}
    items = []
    for one in filter(None, value.split(";")):
        tag, kind, *rest = (part.strip() for part in f"{one},,".split(",")[:4])
        if kind not in _TLV_TYPES or not rest[0]:
            raise LeftOutError(f"{value} is left out, as it is not tag,type,value: write what it says as items of tlvs")
        if rest[1] == "required":
            remarks.append(f"custom_tlvs: {one} is left out: {PER_MESSAGE}")
            continue
        items.append({"tag": integer(tag), **_typed(kind, rest[0])})
    return {"tlvs": items} if items else {}


def _typed(kind: str, value: str) -> dict[str, Any]:
    if octets := _TLV_TYPES[kind]:
        return {"type": "integer", "value": str(integer(value)), "length": octets}
    if kind == "OctetString":
        return {"type": "octets", "value": value.encode("utf-8").hex()}
    return {"type": "text", "value": value}
