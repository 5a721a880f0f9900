"""Kannel's settings of an SMPP connection, each with ours: a table of docs/smsc/smpp.md, by which a configuration is
converted."""

from __future__ import annotations

from typing import Final

from cli.smsc_knobs import DEAD, LOGS, ONE_VALUE, ROUTES, Knob, above_zero, flag, integer, octet, real, within

IN_DOUBT: Final = (
    "1 is in_doubt: resend, but for in_doubt_wait we look for a receipt that proves the message accepted, and then do "
    "not resend it. 0 (reconnect) is not offered: one missing answer would put the whole window in doubt, and "
    "keepalive finds a dead link. 2 (wait for ever) is not offered: the message would never be settled, and its place "
    "in the window never be free; an answer that comes late counts here too. Where no phone may get a message twice: "
    "in_doubt: fail or ask"
)


def _segment(value: str) -> int:
    return within(value, 26, 222, "segment_limits are for 26 to 222 octets, and 140 are the default of both")


KANNEL: Final = (
    Knob("host", "host"),
    Knob("port", "port", convert=integer),
    Knob("receive-port", "rx_port", "with bind: pair, or bind: receiver where port is 0", integer),
    Knob("transceiver-mode", "bind", "yes: transceiver; no: pair", lambda v: "transceiver" if flag(v) else "pair"),
    Knob("use-ssl", "tls", "the SMSC's certificate is checked: tls_ca and tls_server_name where it is not of a public "
         "authority and of the host's name, tls_verify: false where a VPN proves who it is", flag),
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
         "a name 5 and NPI 0, there and here", octet),
    Knob("source-addr-npi", "short_npi", "1 if unset; of senders with + too, which have it by source_rules", octet),
    Knob("source-addr-autodetect", "source_ton", "no: TON and NPI of the group are those of all senders, names too: "
         "source_ton and source_npi; yes, or unset: short_ton and short_npi", flag),
    Knob("dest-addr-ton", "dest_rules", "2 if unset; of recipients without +, which here are those in national "
         "form. One with + has TON 1, there and here; dest_ton is of every number, also of those", octet),
    Knob("dest-addr-npi", "dest_npi", "1 if unset", octet),
    Knob("my-number", "mo_address"),
    Knob("enquire-link-interval", "keepalive", convert=real),
    Knob("connection-timeout", "inactivity", "only where enquire-link-interval is 0; 300 s if unset there. Else "
         f"{DEAD}", real),
    Knob("max-pending-submits", "window", convert=above_zero(integer, "10 counts, the default of both")),
    Knob("throughput", "max_tps", "0: unset", lambda v: real(v) or None),
    Knob("wait-ack", "response_timeout", convert=above_zero(real, "60 s count, the default of both")),
    Knob("wait-ack-expire", "in_doubt", f"unset: 1 there, though its manual says 0. {IN_DOUBT}"),
    Knob("reconnect-delay", "reconnect_max", "waits grow from reconnect_min up to it; unset: 10 s there, 60 s here",
         above_zero(real, "waits grow from reconnect_min to reconnect_max")),
    Knob("msg-id-type", "id_in_response", "and id_in_receipt: 0 both decimal, 1 hex and decimal, 2 decimal and hex, "
         "3 both hex"),
    Knob("alt-charset", "alphabet", "of data_coding 0, which is written where the alphabet has a number of its own"),
    Knob("alt-addr-charset", "sender_alphabet", "unset: windows-1252 there"),
    Knob("alt-dcs", "class_coding", "1 there, class here; without a message_class there is no difference"),
    Knob("validityperiod", "validity", "minutes there, seconds here; always absolute there: validity_form: absolute",
         above_zero(lambda v: integer(v) * 60, "the SMSC tries as long as it likes")),
    Knob("esm-class", "esm_mode", "unset: 3 there, 0 here", integer),
    Knob("priority", "priority_flag", convert=integer),
    Knob("smpp-tlv", "tlvs", f"a group {ONE_VALUE}"),
    Knob("smsc-id", "name", "the aggregator's name; equal groups of one id are binds of one account, others get -2"),
    Knob("smsc-admin-id", "", "jangada names aggregators by their name"),
    Knob("allowed-smsc-id", "", ROUTES),
    Knob("denied-smsc-id", "", ROUTES),
    Knob("preferred-smsc-id", "", ROUTES),
    Knob("allowed-smsc-id-regex", "", ROUTES),
    Knob("denied-smsc-id-regex", "", ROUTES),
    Knob("preferred-smsc-id-regex", "", ROUTES),
    Knob("allowed-prefix", "", ROUTES),
    Knob("denied-prefix", "", ROUTES),
    Knob("preferred-prefix", "", ROUTES),
    Knob("allowed-prefix-regex", "", ROUTES),
    Knob("denied-prefix-regex", "", ROUTES),
    Knob("preferred-prefix-regex", "", ROUTES),
    Knob("unified-prefix", "dest_rules", "and mo_source_rules: recipients as it says, senders of MOs to E.164; where "
         "several prefixes fit, the longest is replaced"),
    Knob("reroute", "", ROUTES),
    Knob("reroute-smsc-id", "", ROUTES),
    Knob("reroute-receiver", "", ROUTES),
    Knob("reroute-dlr", "", "receipts always go to the message's platform"),
    Knob("log-file", "", LOGS),
    Knob("log-level", "", LOGS),
    Knob("max-sms-octets", "segment_limits", "octets there; here septets of GSM 7-bit and UTF-16 units of UCS-2: 120 "
         "is {gsm7: [137, 130], ucs2: 60}; unset: 140 in both. max_parts limits a long message", _segment),
    Knob("dead-start", "", "disable the channels, or leave the file unapplied"),
    Knob("max-error-count", "", "a lane pauses by itself and says why"),
)  # fmt: skip
