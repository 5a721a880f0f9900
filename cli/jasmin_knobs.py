"""Jasmin's settings of an SMPP client connector, each with ours: a table of docs/smsc/smpp.md, by which what jcli shows
is converted. What counts where a connector says nothing is that of Jasmin 0.11.1."""

from __future__ import annotations

from typing import Any, Final

from cli.smsc_knobs import DEAD, LOGS, Knob, above_zero, flag, integer, octet, real, within

_STORE: Final = "the queue keeps what is not answered; see in_doubt"
_DELAY: Final = "here waits grow from reconnect_min, 1 s, to reconnect_max, 60 s"
NO_EFFECT: Final = (
    "none of Jasmin 0.11.1's messages has it: those of its HTTP API have their own or the API's default, those of its "
    "SMPP server their client's"
)
PER_MESSAGE: Final = (
    "its value has to come with each message there, and messages of RapidPro's External API have no field for a TLV. "
    "Where one value is right for all, write it as an item of tlvs"
)
# Value -> our keys. Where the SMSC has the alphabet as the standard numbers it.
CODINGS: Final[dict[int, dict[str, Any]]] = {
    1: {"alphabet": "ascii", "data_coding": 1},
    3: {"alphabet": "latin1", "data_coding": 3, "segment_limits": {"latin1": 140}},
    5: {"alphabet": "shift_jis", "data_coding": 5},
    6: {"alphabet": "iso8859-5", "data_coding": 6},
    7: {"alphabet": "iso8859-8", "data_coding": 7},
    8: {"encoding": "ucs2"},
}
BASES: Final = {
    0: {"id_in_response": "text", "id_in_receipt": "text"},
    1: {"id_in_response": "hex", "id_in_receipt": "decimal"},
    2: {"id_in_response": "decimal", "id_in_receipt": "hex"},
}


def _text(value: str) -> str | None:
    """`None` is what jcli shows where nothing is set."""
    return None if value in ("", "None") else value


def _ssl(value: str) -> bool:
    return {"yes": True, "no": False}[value]


def _bind(value: str) -> str:
    if value not in ("transceiver", "transmitter", "receiver"):
        raise ValueError(value)
    return value


def _protocol(value: str) -> int | None:
    return None if value == "None" else within(value, 0, 255, "a protocol_id is one octet")


JASMIN: Final = (
    Knob("cid", "name", "the aggregator's name; equal connectors of one username at one host are binds of one account, "
         "a transmitter and a receiver a pair"),
    Knob("host", "host", "unset: 127.0.0.1 there, needed here"),
    Knob("port", "port", convert=integer),
    Knob("username", "system_id", "unset: smppclient there, needed here"),
    Knob("password", "password", "a secret: written `!secret`, given with `jangada aggregator secret`; unset: the word "
         "password there, none here"),
    Knob("systype", "system_type", convert=_text),
    Knob("ssl", "tls", "the SMSC's certificate is checked, which Jasmin does not: tls_ca and tls_server_name where it "
         "is not of a public authority and of the host's name, tls_verify: false where a VPN proves who it is", _ssl),
    Knob("bind", "bind", convert=_bind),
    Knob("bind_ton", "bind_ton", convert=octet),
    Knob("bind_npi", "bind_npi", "unset: 0 in both, though its manual says 1", octet),
    Knob("addr_range", "address_range", convert=_text),
    Knob("bind_to", "login_timeout", convert=above_zero(real, "30 s count, the default of both")),
    Knob("elink_interval", "keepalive", "seconds of silence in both; 0: never", real),
    Knob("trx_to", "inactivity", "only where elink_interval is 0, or not shorter: questions that are answered count as "
         f"traffic there. Else {DEAD}", real),
    Knob("res_to", "response_timeout", "unset: 120 s there, though its manual says 60; 60 s here",
         above_zero(real, "60 s count")),
    Knob("pdu_red_to", "", "a PDU that stops half way is found by keepalive"),
    Knob("con_loss_retry", "", "always: to stay unbound, disable the channels, or leave the file unapplied"),
    Knob("con_loss_delay", "reconnect_min", f"unset: 10 s there, each time, after a refused bind too; {_DELAY}, and "
         "after a refusal refused_delay, 60 s, goes by", above_zero(real, "the first wait is reconnect_min, 1 s")),
    Knob("con_fail_retry", "", "always: to stay unbound, disable the channels, or leave the file unapplied"),
    Knob("con_fail_delay", "reconnect_max", f"unset: 10 s there, each time; {_DELAY}",
         above_zero(real, "waits grow to reconnect_max, 60 s")),
    Knob("src_ton", "source_ton", "unset: 2 there, for all senders; here by the sender's look: a short code 0, a "
         "number with country code 1, a name 5", octet),
    Knob("src_npi", "source_npi", "unset: 1 there, for all senders; here by the sender's look: 1, and 0 for a name",
         octet),
    Knob("src_addr", "source_addr", "of messages without a sender there, of every message here, where each has its "
         "channel's address otherwise"),
    Knob("dst_ton", "dest_ton", "unset: 1 there, for all recipients; here by the number's look: 1 with country code, "
         "else short_ton, 0", octet),
    Knob("dst_npi", "dest_npi", "unset: 1 there, for all recipients; here by the number's look: 1, or short_npi",
         octet),
    Knob("proto_id", "protocol_id", convert=_protocol),
    Knob("priority", "priority_flag", NO_EFFECT, octet),
    Knob("validity", "validity", f"in seconds; {NO_EFFECT}", integer),
    Knob("ripf", "replace_if_present", "0: false, 1: true", flag),
    Knob("def_msg_id", "", "canned messages of the SMSC are not sent: 0, and the text"),
    Knob("coding", "data_coding", f"{NO_EFFECT}. Of texts that are not UCS-2, which is found out; what they are says "
         "alphabet. 3 is alphabet: latin1, data_coding: 3, and segment_limits: {latin1: 140}: without the last, a text "
         "with a character that GSM 7-bit has not goes in UCS-2, not as Latin-1; 8 is encoding: ucs2", integer),
    Knob("submit_throughput", "max_tps", "unset: 1 a second there, unlimited here; 0, which is unlimited there: leave "
         "max_tps unset", lambda v: real(v) or None),
    Knob("requeue_delay", "", "unset: 120 s there; back-off in the lane here: 5, 15, 40 s, then aside"),
    Knob("dlr_msgid", "id_in_response", "and id_in_receipt: 0 text, 1 hex and decimal, 2 decimal and hex"),
    Knob("dlr_expiry", "", "unset: a day there; here a message is known for 35 days, a receipt without one for 7"),
    Knob("custom_tlvs", "tlvs", "an item of tlvs for each tag,type,value: it goes with every submit of the account, or "
         f"of a channel. Not a required one: {PER_MESSAGE}"),
    Knob("logfile", "", LOGS),
    Knob("logrotate", "", LOGS),
    Knob("loglevel", "", LOGS),
    Knob("logprivacy", "", "texts and full numbers are never logged"),
    Knob("submit_error_retrial", "status_classes", "which answers are tried again; unset: RSYSERR, RTHROTTLED and "
         "RMSGQFUL there and here, RINVSCHED only there"),
    Knob("submit_max_age_smppc_not_ready", "max_age", f"unset: 20 minutes there, 24 hours here, 12 of bulk; {_STORE}"),
    Knob("submit_retrial_delay_smppc_not_ready", "", f"unset: 30 s there; here it goes when a bind is up; {_STORE}"),
    Knob("publish_submit_sm_resp", "", "every outcome is an event"),
    Knob("long_content_split", "long_messages", "sar, or udh as udh8"),
    Knob("long_content_max_parts", "max_parts", "unset: 5 there, 255 here; of a longer text the rest is lost there, "
         "and here it fails"),
)  # fmt: skip
# Of jasmin.cfg, for all connectors: jcli does not show them.
OF_THE_FILE: Final = frozenset(knob.name for knob in JASMIN[-6:])
