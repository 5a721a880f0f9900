"""Jasmin's settings of an SMPP client connector, each with ours: a table of docs/smsc/smpp.md."""

from __future__ import annotations

from typing import Final

from cli.smsc_knobs import DEAD, LOGS, ONE_VALUE, Knob

_STORE: Final = "the queue keeps what is not answered; see in_doubt"
_DELAY: Final = "unset: 10 s there, each time; here waits grow from reconnect_min, 1 s, to reconnect_max, 60 s"

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
    Knob("long_content_max_parts", "max_parts", "unset: 5 there, 255 here"),
)  # fmt: skip
