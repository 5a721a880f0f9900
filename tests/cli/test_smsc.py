"""`jangada smsc import`, and the pages of docs/smsc."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import aggregator_files, jasmin_knobs, kannel, kannel_knobs, smsc_accounts, smsc_pages
from cli.main import main
from smsc_relay.protocol import Refused
from smsc_relay.retry import wait_after
from smsc_relay.smpp import address
from smsc_relay.smpp.config import SmppConfig

ROOT = Path(__file__).resolve().parents[2]
CONF = """\
group = core
admin-port = 13000

# the operator in Kampala
group = smsc
smsc = smpp
smsc-id = "MTN_UG"
host = 10.64.10.20
port = 2775
receive-port = 2776
smsc-username = ilha
smsc-password = s3cret
{more}

group = smsc
smsc = http
smsc-id = web
"""


def config(more: str = "") -> dict[str, Any]:
    (one,) = kannel.imported(CONF.format(more=more))
    loaded = aggregator_files.load(one.text, "x.yaml")
    assert loaded.aggregator is not None
    return {key: value for key, value in loaded.aggregator.config.items() if key != "password"}


PAIR = {
    "host": "10.64.10.20", "port": 2775, "rx_port": 2776, "bind": "pair", "system_id": "ilha",
    # What Kannel does where nothing is written.
    "sender_alphabet": "windows-1252", "esm_mode": 3, "short_ton": 2, "short_npi": 1,
}  # fmt: skip
GROUP = (
    "group = smsc\nsmsc = smpp\nsmsc-id = MTN_UG\nhost = 10.64.10.20\nsmsc-username = ilha\nsmsc-password = s3cret\n"
)
TRX = GROUP + "port = 2775\ntransceiver-mode = yes\n"


def one_of(text: str) -> smsc_accounts.Imported:
    (one,) = kannel.imported(text)
    return one


def applied(one: smsc_accounts.Imported) -> dict[str, Any]:
    """Name and config of a file that `jangada aggregator check` takes."""
    loaded = aggregator_files.load(one.text, f"{one.name}.yaml")
    assert loaded.aggregator is not None
    assert loaded.aggregator.name == one.name
    return loaded.aggregator.config


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", {}),
        ("transceiver-mode = yes", {"bind": "transceiver", "rx_port": None}),
        ("msg-id-type = 0x01", {"id_in_response": "hex", "id_in_receipt": "decimal"}),
        ("msg-id-type = 2", {"id_in_response": "decimal", "id_in_receipt": "hex"}),
        ("max-pending-submits = 30\nthroughput = 12.5", {"window": 30, "max_tps": 12.5}),
        ("validityperiod = 60", {"validity": 3600, "validity_form": "absolute"}),
        ("esm-class = 0", {"esm_mode": 0}),
        ("alt-addr-charset = GSM", {"sender_alphabet": "gsm7"}),
        ("source-addr-autodetect = no", {"source_ton": 2, "source_npi": 1}),
        ("dest-addr-ton = 2\ndest-addr-npi = 8", {"dest_npi": 8}),
        ("bind-addr-ton = 0x01\nbind-addr-npi = 08", {"bind_ton": 1, "bind_npi": 8}),
        ("connection-timeout = 300", {}),
        ("connection-timeout = 300\nenquire-link-interval = 30", {"keepalive": 30.0}),
        ("connection-timeout = 120\nenquire-link-interval = 0", {"keepalive": 0.0, "inactivity": 120.0}),
        ("enquire-link-interval = 0", {"keepalive": 0.0, "inactivity": 300.0}),
        ("connection-timeout = 0\nenquire-link-interval = 0", {"keepalive": 0.0}),
        ("max-sms-octets = 140", {}),
        ("max-sms-octets = 120", {"segment_limits": {"gsm7": [137, 130], "ucs2": 60}}),
        ("max-sms-octets = 26", {"segment_limits": {"gsm7": [29, 22], "ucs2": 13}}),
        ("max-sms-octets = 222", {"segment_limits": {"gsm7": [253, 246], "ucs2": 111}}),
        ("max-sms-octets = 0", {}),
        ("max-sms-octets = 25", {}),
        ("max-sms-octets = 223", {}),
        ("max-sms-octets = 120\nalt-charset = latin1", {"alphabet": "latin1", "segment_limits": {"ucs2": 60}}),
        ("alt-charset = UCS-2\nmax-sms-octets = 120", {"alphabet": "ucs2", "segment_limits": {"ucs2": 60}}),
        ("throughput = 0", {}),
        ("max-pending-submits = 0\nwait-ack = 0\nvalidityperiod = 0\nreconnect-delay = 0", {}),
        ("reconnect-delay = 0.5", {"reconnect_min": 0.5, "reconnect_max": 0.5}),
        ("reconnect-delay = 20", {"reconnect_max": 20.0}),
        ("interface-version = 33", {"interface_version": 33}),
        ("interface-version = 33\ntransceiver-mode = yes", {"bind": "transceiver", "rx_port": None}),
        ("interface-version = 51", {}),
        ("validityperiod = 999999999", {}),
        ("priority = 999", {}),
        (
            "port = 0",
            {
                "bind": "receiver",
                "port": 2776,
                "rx_port": None,
                "esm_mode": None,
                "short_ton": None,
                "short_npi": None,
            },
        ),
        ("receive-port = 0", {"bind": "transmitter", "rx_port": None}),
        ("receive-port = 2775", {"rx_port": None}),
        ("port = 0\nreceive-port = 0", {"port": None, "rx_port": None}),
        ("source-addr-ton = 2\nsource-addr-npi = 1", {}),
        ("source-addr-ton = 3\ndest-addr-ton = 3", {"short_ton": 3}),
        ("source-addr-ton = 3", {"short_ton": 3, "dest_rules": [{"match": "[0-9]+", "ton": 2}]}),
        (
            "source-addr-npi = 0",
            {"short_npi": 0, "source_rules": [{"match": r"\+[0-9]+", "npi": 0}], "dest_npi": 1},
        ),
        ("source-addr-ton = 256\nsource-addr-npi = -1\ndest-addr-ton = 256\ndest-addr-npi = 256", {}),
        (
            "source-addr-autodetect = no\nsource-addr-ton = 3\nsource-addr-npi = 8",
            {"source_ton": 3, "source_npi": 8},
        ),
        (
            "source-addr-autodetect = no\ndest-addr-ton = 1\ndest-addr-npi = 8",
            {"source_ton": 2, "source_npi": 1, "short_ton": 1, "short_npi": 8, "dest_npi": 8},
        ),
        ("use-ssl = yes", {"tls": True}),
        ("connection-timeout = 0\nenquire-link-interval = 55", {"keepalive": 55.0}),
        ("alt-charset = ISO-8859-1", {"alphabet": "latin1"}),
        ("alt-charset = ISO-8859-9", {"alphabet": "iso8859-9"}),
        ("alt-charset = iso-8859-5", {"alphabet": "iso8859-5", "data_coding": 0}),
        ("alt-charset = KOI8-R", {}),
        ("alt-dcs = 1", {"class_coding": "class"}),
        ("alt-dcs = 0", {}),
        ("alt-addr-charset = ISO-8859-9", {"sender_alphabet": None}),
        ("alt-addr-charset = UCS-2", {"sender_alphabet": None}),
    ],
)
def test_a_group_becomes_a_file_that_can_be_applied(more: str, expected: dict[str, Any]) -> None:
    wanted = {key: value for key, value in {**PAIR, **expected}.items() if value is not None}
    assert config(more) == wanted


@pytest.mark.parametrize(
    ("value", "sent", "told"),
    [
        pytest.param(
            "+358,00358,0;+,00", [("0401234567", "358401234567"), ("+358401234567", "358401234567")],
            [("0401234567", "+358401234567"), ("00358401234567", "+358401234567")], id="to international",
        ),
        pytest.param(
            "+35850,050;+35840,040", [("0401234567", "358401234567"), ("0501234567", "358501234567")],
            [("0401234567", "+358401234567"), ("0501234567", "+358501234567")], id="two groups",
        ),
        pytest.param(
            "0,+256,00256,256", [("+256772123456", "0772123456"), ("+254722123456", "254722123456")],
            [("0772123456", "+256772123456")], id="to national",
        ),
        pytest.param(
            "00256,+256,0", [("+256772123456", "00256772123456"), ("0772123456", "00256772123456")],
            [("0772123456", "+256772123456")], id="to 00",
        ),
        pytest.param(
            "9,+2567;8,+256", [("+256772123456", "972123456"), ("+256312123456", "8312123456")],
            [("972123456", "+256772123456"), ("8312123456", "+256312123456")], id="the longest first",
        ),
    ],
)  # fmt: skip
def test_unified_prefixes_become_rules(value: str, sent: list[tuple[str, str]], told: list[tuple[str, str]]) -> None:
    made = SmppConfig.read(config(f"unified-prefix = {value}"))
    assert [(ours, address.recipient(ours, made).addr) for ours, _ in sent] == sent
    assert [(theirs, address.phone(0, theirs, made)) for theirs, _ in told] == told


def test_a_unified_prefix_is_written_as_few_rules() -> None:
    assert config('unified-prefix = "+358,00358,0;+,00"') == {
        **PAIR,
        "dest_rules": [{"match": "0(.*)", "replace": r"+358\g<1>"}],
        "mo_source_rules": [{"match": "0(.*)", "replace": r"+358\g<1>"}],
    }


def test_a_national_prefix_that_says_no_country_is_told() -> None:
    (one,) = kannel.imported(CONF.format(more="unified-prefix = 0,9"))
    assert "unified-prefix: 0,9 leaves senders of MOs in national form: set country" in one.remarks


def test_files_are_written_once_and_hold_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "kannel.conf"
    conf.write_text(CONF.format(more="allowed-prefix = +256\nwait-ack-expire = 0"))
    assert main(["smsc", "import", str(conf), "--out", str(tmp_path / "made")]) == 0
    said = capsys.readouterr().out
    text = (tmp_path / "made" / "mtn-ug.yaml").read_text()
    assert "password: !secret" in text
    assert "s3cret" not in text + said
    for remark in ("allowed-prefix: ", "wait-ack-expire: ", "jangada aggregator secret mtn-ug password"):
        assert remark in said
    assert main(["smsc", "import", str(conf), "--out", str(tmp_path / "made")]) == 1
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "remark"),
    [
        ("connection-timeout = 300", "connection-timeout: keepalive finds a dead link"),
        ("enquire-link-interval = 0\nconnection-timeout = 120", "0 is keepalive: 0, which never asks; so inactivity"),
        ("enquire-link-interval = 0", "logs out, and in again, after 300 s without a word"),
        ("enquire-link-interval = 0\nconnection-timeout = 0", "nothing finds a dead link; write keepalive: 30"),
        ("max-sms-octets = 223", "max-sms-octets: 223 is left out: segment_limits are for 26 to 222 octets"),
        ("alt-charset = L1\nmax-sms-octets = 120", "120 is written for UCS-2; segment_limits: {latin1: 120} is for"),
        ("alt-charset = KOI8-R", "alt-charset: KOI8-R is not known here, so alphabet is gsm7 until"),
        ("alt-addr-charset = UCS-2", "UCS-2 is not known here, so sender_alphabet is latin1 until"),
        ("wait-ack-expire = 0", "0 (reconnect) is not offered: one missing answer would put the whole window in doubt"),
        ("wait-ack-expire = 2", "2 (wait for ever) is not offered: the message would never be settled"),
        (
            "",
            "reconnect-delay: not set, which is 10 s there; here waits grow from reconnect_min, 1 s, to reconnect_max",
        ),
        ("use-ssl = yes", "use-ssl: the SMSC's certificate is checked"),
        (
            "source-addr-npi = 8",
            r"TON 2 where it came without: if yours did, write source_rules: [{match: '\+[0-9]+', ",
        ),
        ("source-addr-ton = 256", "source-addr-ton: 256 is left out: a TON or NPI is 0 to 255"),
        ("dest-addr-ton = 5", "write dest_ton: 5"),
        ("", "system-type: not set"),
        ("wait-ack = 0", "wait-ack: 0 is not written: 60 s count"),
        ("reconnect-delay = 0", "reconnect-delay: 0 is not written"),
        ("validityperiod = 0", "validityperiod: 0 is not written"),
        ("max-pending-submits = 0", "max-pending-submits: 0 is not written: 10 counts"),
        ("interface-version = 33", "interface-version: 33 has no transceiver"),
        ("interface-version = 51", "interface_version: 51 is left out: Input should be 33, 34 or 50"),
        ("priority = 999", "priority_flag: 999 is left out"),
        ("port = 0", "port: none is set"),
        ("preferred-prefix-regex = ^7", "preferred-prefix-regex: a channel names its aggregator"),
        ("denied-smsc-id-regex = x", "denied-smsc-id-regex: a channel names its aggregator"),
        ("frobnicate = 1", "frobnicate: unknown here"),
        (
            '\ngroup = smpp-tlv\nname = bill\nsmsc-id = "y; MTN_UG"',
            "smpp-tlv bill: the group declares a TLV there, whose ",
        ),
        ("\ngroup = smpp-tlv\nname = bill", "a value that differs from message to message has no source. Where one"),
    ],
)
def test_what_a_person_must_look_at(more: str, remark: str) -> None:
    one = one_of(f"{TRX}{more}\n")
    assert [said for said in one.remarks if remark in said], one.remarks
    applied(one)


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ("reconnect-delay = 10", "reconnect-delay"),
        ("wait-ack-expire = 1", "wait-ack-expire"),
        ("source-addr-ton = 1", "source-addr-ton"),
        ("source-addr-autodetect = no", "source-addr"),
        ("dest-addr-ton = 1", "dest-addr-ton"),
        ("enquire-link-interval = 0\nconnection-timeout = 120", "keepalive finds a dead link"),
        ("max-sms-octets = 120", "max-sms-octets"),
    ],
)
def test_what_is_settled_is_no_remark(more: str, gone: str) -> None:
    assert gone not in str(one_of(f"{TRX}{more}\n").remarks)


# Of addresses as they were handed to Kannel 1.4.5, TON and NPI as it wrote them.
SENDERS = ("8080", "0772123456", "+256772123456", "+8080", "PALMA", "Palma 1")
RECIPIENTS = ("+256772123456", "0772123456", "8181")


@pytest.mark.parametrize(
    ("more", "senders", "recipients"),
    [
        pytest.param(
            "", [(2, 1), (2, 1), (1, 1), (1, 1), (5, 0), (5, 0)], [(1, 1), (2, 1), (2, 1)], id="unset"
        ),
        pytest.param(
            "source-addr-ton = 3\nsource-addr-npi = 0\ndest-addr-ton = 5\ndest-addr-npi = 8",
            [(3, 0), (3, 0), (1, 0), (1, 0), (5, 0), (5, 0)], [(1, 8), (5, 8), (5, 8)], id="both",
        ),
        pytest.param(
            "source-addr-ton = 3\nsource-addr-npi = 0",
            [(3, 0), (3, 0), (1, 0), (1, 0), (5, 0), (5, 0)], [(1, 1), (2, 1), (2, 1)], id="senders",
        ),
        pytest.param(
            "dest-addr-ton = 5\ndest-addr-npi = 8",
            [(2, 1), (2, 1), (1, 1), (1, 1), (5, 0), (5, 0)], [(1, 8), (5, 8), (5, 8)], id="recipients",
        ),
        pytest.param(
            "source-addr-autodetect = yes\nsource-addr-ton = 1",
            [(1, 1), (1, 1), (1, 1), (1, 1), (5, 0), (5, 0)], [(1, 1), (2, 1), (2, 1)], id="said to be detected",
        ),
    ],
)  # fmt: skip
def test_ton_and_npi_are_those_that_kannel_writes(
    more: str, senders: list[tuple[int, int]], recipients: list[tuple[int, int]]
) -> None:
    made = SmppConfig.read(config(more))
    assert [address.sender(one, made)[:2] for one in SENDERS] == senders
    assert [address.recipient(one, made)[:2] for one in RECIPIENTS] == recipients


@pytest.mark.parametrize(
    ("more", "senders", "recipients"),
    [
        ("", (2, 1), [(1, 1), (2, 1), (2, 1)]),
        ("source-addr-ton = 3\nsource-addr-npi = 0\ndest-addr-ton = 5\ndest-addr-npi = 8", (3, 0),
         [(1, 8), (5, 8), (5, 8)]),
    ],
)  # fmt: skip
def test_without_detection_all_senders_have_ton_and_npi_of_the_group(
    more: str, senders: tuple[int, int], recipients: list[tuple[int, int]]
) -> None:
    made = SmppConfig.read(config(f"source-addr-autodetect = no\n{more}"))
    assert {address.sender(one, made)[:2] for one in SENDERS} == {senders}
    assert [address.recipient(one, made)[:2] for one in RECIPIENTS] == recipients


@pytest.mark.parametrize("prefixes", ["0,+256", "256,+256", "00256,+256"])
def test_a_recipient_whose_prefix_has_no_plus_has_the_ton_of_the_group(prefixes: str) -> None:
    made = SmppConfig.read(config(f"unified-prefix = {prefixes}\nsource-addr-ton = 3\ndest-addr-ton = 4"))
    assert address.recipient("+256772123456", made)[:2] == (4, 1)
    assert address.recipient("8181", made)[:2] == (4, 1)


def test_the_remark_on_long_senders_tells_the_right_rule() -> None:
    one = one_of(f"{TRX}source-addr-ton = 3\nsource-addr-npi = 0\n")
    (rules,) = [said.split("source_rules: ")[1] for said in one.remarks if said.startswith("source-addr-ton: ")]
    made = SmppConfig.read({**applied(one), "password": "s3cret", "source_rules": yaml.safe_load(rules)})
    assert address.sender("256772123456", made) == (3, 0, "256772123456")
    assert address.sender("8080", made)[:2] == (3, 0)
    assert address.sender("PALMA", made)[:2] == (5, 0)


@pytest.mark.parametrize(
    ("charset", "names"),
    [
        ("gsm7", ["GSM", "gsm", "GSM7", "GSM-7", "GSM 03.38", "GSM0338"]),
        ("latin1", ["ISO-8859-1", "iso8859-1", "ISO_8859-1", "LATIN1", "Latin-1", "L1"]),
        ("ascii", ["ASCII", "US-ASCII"]),
        ("utf-8", ["UTF8", "UTF-8", "utf_8"]),
        ("windows-1252", ["CP1252", "cp-1252", "WINDOWS-1252", "Windows1252"]),
        ("iso8859-5", ["ISO-8859-5", "ISO8859-5", "CYRILLIC"]),
        ("iso8859-8", ["ISO-8859-8", "HEBREW"]),
        ("iso8859-9", ["ISO-8859-9", "LATIN5", "latin-5"]),
        ("shift_jis", ["SHIFT_JIS", "SHIFT-JIS", "Shift JIS", "SJIS"]),
        ("ucs2", ["UCS-2", "UCS2", "UCS-2BE", "UTF-16BE", "ISO-10646-UCS-2"]),
    ],
)
def test_charsets_have_many_names(charset: str, names: list[str]) -> None:
    for name in names:
        assert config(f"alt-charset = {name}")["alphabet"] == charset
        if charset in ("gsm7", "latin1", "ascii", "utf-8", "windows-1252"):
            assert config(f"alt-addr-charset = {name}")["sender_alphabet"] == charset


KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "host": ("10.64.10.21", {"host": "10.64.10.21"}),
    "port": ("3001", {"port": 3001}),
    "receive-port": ("3002", {"rx_port": 3002}),
    "transceiver-mode": ("yes", {"bind": "transceiver"}),
    "use-ssl": ("yes", {"tls": True}),
    "our-host": ("10.1.1.1", {"local_host": "10.1.1.1"}),
    "smsc-username": ("palma", {"system_id": "palma"}),
    "system-id": ("older", {"system_id": "older"}),
    "system-type": ("VMA", {"system_type": "VMA"}),
    "service-type": ("CMT", {"service_type": "CMT"}),
    "interface-version": ("50", {"interface_version": 50}),
    "address-range": ("^80", {"address_range": "^80"}),
    "bind-addr-ton": ("11", {"bind_ton": 11}),
    "bind-addr-npi": ("12", {"bind_npi": 12}),
    "source-addr-ton": ("13", {"short_ton": 13}),
    "source-addr-npi": ("14", {"short_npi": 14}),
    "source-addr-autodetect": ("no", {"source_ton": 2, "source_npi": 1}),
    "dest-addr-ton": ("15", {"dest_rules": [{"match": "[0-9]+", "ton": 15}]}),
    "dest-addr-npi": ("16", {"dest_npi": 16}),
    "my-number": ("8181", {"mo_address": "8181"}),
    "enquire-link-interval": ("17.5", {"keepalive": 17.5}),
    "connection-timeout": ("18\nenquire-link-interval = 0", {"keepalive": 0.0, "inactivity": 18.0}),
    "max-pending-submits": ("19", {"window": 19}),
    "throughput": ("20.5", {"max_tps": 20.5}),
    "wait-ack": ("21.5", {"response_timeout": 21.5}),
    "reconnect-delay": ("22.5", {"reconnect_max": 22.5}),
    "msg-id-type": ("2", {"id_in_response": "decimal", "id_in_receipt": "hex"}),
    "alt-charset": ("ISO-8859-9", {"alphabet": "iso8859-9"}),
    "alt-addr-charset": ("UTF8", {"sender_alphabet": "utf-8"}),
    "alt-dcs": ("1", {"class_coding": "class"}),
    "validityperiod": ("23", {"validity": 1380, "validity_form": "absolute"}),
    "esm-class": ("2", {"esm_mode": 2}),
    "priority": ("24", {"priority_flag": 24}),
    "unified-prefix": ("+256,0", {"dest_rules": [{"match": "0(.*)", "replace": r"+256\g<1>"}]}),
    "max-sms-octets": ("100", {"segment_limits": {"gsm7": [114, 107], "ucs2": 50}}),
}
NOT_CONVERTED = {
    "smsc-id",
    "smsc-password",
    "ssl-client-certkey-file",
    "wait-ack-expire",
    "smpp-tlv",
}  # told, or not ours


@pytest.mark.parametrize(("name", "value", "expected"), [(name, *of) for name, of in KEYS.items()])
def test_every_key_is_converted(name: str, value: str, expected: dict[str, Any]) -> None:
    lines = {
        "group": "smsc", "smsc": "smpp", "smsc-id": "MTN_UG", "host": "10.64.10.20", "port": "2775",
        "receive-port": "2776", "smsc-username": "ilha", name: value,
    }  # fmt: skip
    if name == "system-id":
        del lines["smsc-username"]
    made = applied(one_of("\n".join(f"{key} = {of}" for key, of in lines.items())))
    assert {key: made.get(key) for key in expected} == expected


def test_no_key_that_is_converted_is_missing_in_the_test_of_them() -> None:
    assert set(KEYS) == {knob.name for knob in kannel_knobs.KANNEL if knob.key} - NOT_CONVERTED


def test_a_tlv_of_another_group_is_no_remark() -> None:
    assert "smpp-tlv" not in str(one_of(f'{TRX}\ngroup = smpp-tlv\nname = bill\nsmsc-id = "y; MTN"\n').remarks)


@pytest.mark.parametrize(
    ("smsc_id", "name"),
    [
        ("MTN_UG", "mtn-ug"), ("0123", "0123"), ("no", "no"), ("null", "null"), ("on", "on"),
        ("2026-01-31", "2026-01-31"), ("???", "10-64-10-20"), ("", "10-64-10-20"),
        ("shared", "smsc-shared"),
        ("Shared_1", "smsc-shared-1"),
        ("mtn-bulk", "mtn-bulk-smsc"), ("mtn-dlq", "mtn-dlq-smsc"), ("x" * 60, "x" * 40),
        ("y" * 35 + "-bulk", "y" * 35 + "-smsc"),
    ],
)  # fmt: skip
def test_any_smsc_id_makes_a_name(smsc_id: str, name: str) -> None:
    one = one_of(TRX.replace("MTN_UG", smsc_id))
    assert one.name == name
    applied(one)


TX = GROUP + "port = 2775\nthroughput = 30\nsystem-type = x\n"
RX = GROUP + "receive-port = 2776\nsystem-type = x\nmy-number = 8080\n"


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param(
            [TRX, TRX + "log-file = /var/log/2.log\n", TRX], [{"bind": "transceiver", "binds": 3}], id="equal"
        ),
        pytest.param([TX, TX], [{"bind": "transmitter", "binds": 2, "max_tps": 60.0}], id="rates-add-up"),
        pytest.param(
            [TX, RX],
            [{"bind": "pair", "port": 2775, "rx_port": 2776, "max_tps": 30.0, "mo_address": "8080", "binds": None}],
            id="transmitter-and-receiver",
        ),
        pytest.param(
            [TX + "source-addr-ton = 3\nsource-addr-npi = 0\nmax-sms-octets = 120\n", RX],
            [
                {
                    "bind": "pair",
                    "short_ton": 3,
                    "short_npi": 0,
                    "source_rules": [{"match": r"\+[0-9]+", "npi": 0}],
                    "segment_limits": {"gsm7": [137, 130], "ucs2": 60},
                }
            ],
            id="transmitter-with-types",
        ),
        pytest.param([RX, TX], [{"bind": "pair", "port": 2775, "rx_port": 2776}], id="receiver-first"),
        pytest.param([TX, RX, TX, RX], [{"bind": "pair", "binds": 2, "max_tps": 60.0}], id="two-pairs"),
        pytest.param(
            [TX, RX.replace("10.64.10.20", "10.64.10.21").replace("2776", "2775")],
            [{"bind": "pair", "host": "10.64.10.20", "rx_host": "10.64.10.21", "rx_port": None}],
            id="receiver-elsewhere",
        ),
        pytest.param([TX, TX, RX], [{"bind": "transmitter", "binds": 2}, {"bind": "receiver"}], id="not-as-many"),
        pytest.param(
            [TX, RX.replace("ilha", "olha")], [{"system_id": "ilha"}, {"system_id": "olha"}], id="other-account"
        ),
        pytest.param(
            [TX, RX.replace("s3cret", "0ther")], [{"bind": "transmitter"}, {"bind": "receiver"}], id="password"
        ),
        pytest.param(
            [TRX, TRX.replace("10.20", "10.30"), TRX.replace("10.20", "10.40")],
            [{"host": "10.64.10.20"}, {"host": "10.64.10.30"}, {"host": "10.64.10.40"}],
            id="other-hosts",
        ),
    ],
)
def test_groups_of_one_smsc_id(groups: list[str], expected: list[dict[str, Any]]) -> None:
    found = kannel.imported("\n".join(groups))
    assert [one.name for one in found] == ["mtn-ug", "mtn-ug-2", "mtn-ug-3"][: len(expected)]
    for one, wanted in zip(found, expected, strict=True):
        config = applied(one)
        assert {key: config.get(key) for key in wanted} == wanted
        assert f"secret {one.name} password" in str(one.remarks)
        assert not {"s3cret", "0ther"} & set(re.findall(r"\w+", one.text + str(one.remarks)))
    for one in found[1:]:
        assert "smsc-id: MTN_UG, as the group at line 1, but not the same account" in str(one.remarks)
    if len(found) < len(groups):
        assert "groups" in str(found[0].remarks)


def test_smsc_ids_that_look_alike_are_two_accounts() -> None:
    found = kannel.imported(f"{TRX}\n{TRX.replace('MTN_UG', 'mtn-ug')}")
    assert [one.name for one in found] == ["mtn-ug", "mtn-ug-2"]
    assert [applied(one).get("binds") for one in found] == [None, None]


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        pytest.param(TRX.replace("host = 10.64.10.20\n", ""), "config.host: required key is missing", id="no-host"),
        pytest.param(TRX.replace("10.64.10.20", "smsc:2775"), "config.host: must be a host name", id="host-and-port"),
        pytest.param(TRX.replace("smsc-username = ilha\n", ""), "config.system_id: required key", id="no-name"),
    ],
)
def test_what_cannot_be_left_out_is_told(text: str, remark: str) -> None:
    one = one_of(text)
    assert [said for said in one.remarks if said.startswith("before the file can be applied: ") and remark in said]


def test_groups_of_other_protocols_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "kannel.conf"
    conf.write_text(
        f"\ufeff{TRX}\ngroup = smsc\nsmsc = emi\nsmsc-id = V1\n\ngroup = smsc\nsmsc = at\n", encoding="utf-8"
    )
    assert main(["smsc", "import", str(conf), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "not imported: line 10: smsc = emi, smsc-id V1: write an aggregator of type UCP" in said
    assert "not imported: line 14: smsc = at, smsc-id none: only SMPP groups are imported" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("group = core\n", "no `group = smsc`"),
        ("group = smsc\nsmsc = smpp\nnonsense\n", "line 3: not `key = value`"),
        ("include = other.conf\n", "line 1: include is not followed"),
        ("group = smsc\nsmsc = smpp\nhost = x\nport = many\n", "port: 'many'"),
        ("group = smsc\nsmsc = smpp\nmsg-id-type = 4\n", "line 1: msg-id-type: '4' is not what Kannel takes"),
        ("group = smsc\nsmsc = smpp\nthroughput = nan\n", "line 1: throughput: 'nan'"),
        ("group = smsc\nsmsc = smpp\n\nhost = x\n", "line 4: no `group = ...` among these lines"),
        (
            "group = smsc\nsmsc = cimd2\nsmsc-id = n\n",
            "line 1: smsc = cimd2, smsc-id n: write an aggregator of type CIMD2",
        ),
        ("group = smsc\nsmsc = smpp\nunified-prefix = +256,x\n", "unified-prefix: '+256,x' is not what Kannel takes"),
    ],
)
def test_what_cannot_be_read_is_told_by_line(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kannel.conf").write_text(text)
    assert main(["smsc", "import", str(tmp_path / "kannel.conf")]) == 1
    assert why in capsys.readouterr().err


def test_every_key_named_for_a_peers_setting_exists() -> None:
    for knob in (*kannel_knobs.KANNEL, *jasmin_knobs.JASMIN):
        assert knob.key in ("", "name") or knob.key in SmppConfig.model_fields, knob
        assert knob.key or knob.remark, knob


def test_the_reference_is_fresh_and_says_something_of_every_key() -> None:
    assert (ROOT / smsc_pages.PAGE).read_text() == smsc_pages.page(), "run `jangada docs smsc`"
    assert [name for name, info in SmppConfig.model_fields.items() if not info.description] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("in_doubt", "`resend`, `fail`, `ask`"),
        ("bind", "`transceiver`, `transmitter`, `receiver`, `pair`"),
        ("interface_version", "`33`, `34`, `50`"),
        ("ucs2_order", "`big`, `little`"),
        ("validity_form", "`relative`, `absolute`"),
        ("tls", "`true`, `false`"),
        ("password", "`!secret`"),
        ("receipt_states", "mapping to `delivered`, `sent`, `failed`, `ignored`"),
        ("tlvs", "list of mappings, see below"),
        ("tag", "whole number, 1 to 65535"),
        ("type", "`integer`, `text`, `octets`"),
        ("window", "whole number, 1 to 10000"),
        ("max_tps", "number above 0"),
        ("keepalive", "number, 0 or more"),
        ("login_timeout", "number above 0, up to 86400"),
        ("fallback_hosts", "list of text"),
    ],
)
def test_the_reference_says_what_each_key_takes(key: str, value: str) -> None:
    assert f"\n| `{key}` | {value} | " in smsc_pages.page()


@pytest.mark.parametrize(
    ("peer", "name", "told"),
    [
        ("Kannel", "smpp-tlv", "| `tlvs` | a group declares a TLV there, whose value comes with each message; "),
        ("Kannel", "smpp-tlv", "messages of RapidPro's External API have no field for a TLV"),
        ("Kannel", "wait-ack-expire", "0 (reconnect) is not offered: "),
        ("Kannel", "wait-ack-expire", "2 (wait for ever) is not offered: "),
        ("Kannel", "reconnect-delay", "unset: 10 s there, 60 s here"),
        ("Kannel", "max-sms-octets", "| `segment_limits` | "),
        ("Kannel", "connection-timeout", "| `inactivity` | only where enquire-link-interval is 0"),
        ("Jasmin", "custom_tlvs", "| `tlvs` | an item of tlvs for each tag,type,value: "),
        ("Jasmin", "custom_tlvs", "messages of RapidPro's External API have no field for a TLV"),
        ("Jasmin", "coding", "segment_limits: {latin1: 140}: without the last"),
        ("Jasmin", "submit_throughput", "unset: 1 a second there, unlimited here; 0, which is unlimited there: leave "),
        ("Jasmin", "src_ton", "unset: 2 there"),
        ("Jasmin", "src_npi", "unset: 1 there"),
        ("Jasmin", "dst_ton", "unset: 1 there"),
        ("Jasmin", "dst_npi", "unset: 1 there"),
        ("Jasmin", "res_to", "unset: 120 s there, though its manual says 60; 60 s here"),
        ("Jasmin", "con_loss_delay", "unset: 10 s there"),
        ("Jasmin", "con_fail_delay", "unset: 10 s there"),
        ("Jasmin", "requeue_delay", "unset: 120 s there"),
        ("Jasmin", "dlr_expiry", "unset: a day there"),
        ("Jasmin", "submit_error_retrial", "RINVSCHED only there"),
        ("Jasmin", "submit_max_age_smppc_not_ready", "unset: 20 minutes there, 24 hours here, 12 of bulk"),
        ("Jasmin", "submit_retrial_delay_smppc_not_ready", "unset: 30 s there"),
        ("Jasmin", "long_content_max_parts", "unset: 5 there, 255 here"),
    ],
)
def test_the_tables_of_peers_say_what_differs(peer: str, name: str, told: str) -> None:
    table = smsc_pages.page().split(f"## Coming from {peer}")[1].split("\n## ")[0]
    (row,) = re.findall(rf"^\| `{name}` \|.*$", table, re.M)
    assert told in row


@pytest.mark.parametrize("key", SmppConfig.model_fields)
def test_every_choice_is_in_the_reference(key: str) -> None:
    (row,) = re.findall(rf"^\| `{key}` \| (.*?) \| .* \| .* \|$", smsc_pages.page().split("## Coming from")[0], re.M)

    def choices(schema: Any) -> list[str]:
        if isinstance(schema, dict):
            return [*map(str, schema.get("enum", ())), *choices(list(schema.values()))]
        return [one for inner in schema for one in choices(inner)] if isinstance(schema, list) else []

    for choice in choices(SmppConfig.model_json_schema()["properties"][key]):
        assert f"`{choice}`" in row


def _rows(page: Path) -> list[str]:
    """Of its tables, without their heads."""
    lines = page.read_text().splitlines()
    return [line for above, line in pairwise(lines) if line.startswith("| ") and above.startswith("|")]


def test_the_quirks_name_keys_that_exist() -> None:
    rows = _rows(ROOT / "docs/smsc/quirks.md")
    named = [key for row in rows for key in re.findall(r"`([a-z0-9_]+)(?::[^`]*)?`", row.split("|")[3])]
    assert len(named) > 30
    extra = {
        "payload",
        "address",
        "ask",
        "failure",
        "none",
        "pair",
        "wired",
        "report_wired",
    }  # values, and a channel's own key
    assert [key for key in named if key not in SmppConfig.model_fields and key not in extra] == []


@pytest.mark.parametrize(
    ("seen", "key"),
    [
        ("ESME_RALYBND after a restart", "reconnect_max"),
        ("ESME_RINVESMCLASS", "esm_mode"),
        ("ESME_RINVSYSTYP", "system_type"),
        ("ESME_RINVREGDLVFLG", "receipts"),
        ("MOs never come", "address_range"),
        ("answers nothing", "window"),
        ("submits time out", "response_timeout"),
        ("a message twice", "in_doubt"),
        ("times of receipts", "receipt_timezone"),
        ("long messages arrive in part", "max_parts"),
        ("other site works", "fallback_hosts"),
        ("certificate cannot be verified", "tls_ca"),
    ],
)
def test_a_quirk_leads_to_its_key(seen: str, key: str) -> None:
    rows = _rows(ROOT / "docs/smsc/quirks.md")
    (row,) = [row for row in rows if seen in row.split("|")[1]]
    assert f"`{key}" in row.split("|")[3]


def test_an_account_that_is_bound_already_waits_as_the_quirks_say() -> None:
    """Not for refused_delay: it is no refusal of the account."""
    config = SmppConfig.read({"host": "smsc", "system_id": "ilha", "refused_delay": 3600})
    busy = Refused("ESME_RALYBND", "0x00000005", credentials=False, busy=True)
    assert wait_after(config, 1, 0, busy, math.inf, 1.0) == config.reconnect_min
    assert wait_after(config, 20, 0, busy, math.inf, 1.0) == config.reconnect_max
