"""`jangada smsc import`, and the pages of docs/smsc."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cli import aggregator_files, kannel, smsc_pages
from cli.main import main
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


PAIR = {"host": "10.64.10.20", "port": 2775, "rx_port": 2776, "bind": "pair", "system_id": "ilha"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", {}),
        ("transceiver-mode = yes", {"bind": "transceiver", "rx_port": None}),
        ("msg-id-type = 0x01", {"id_in_response": "hex", "id_in_receipt": "decimal"}),
        ("msg-id-type = 2", {"id_in_response": "decimal", "id_in_receipt": "hex"}),
        ("max-pending-submits = 30\nthroughput = 12.5", {"window": 30, "max_tps": 12.5}),
        ("validityperiod = 60", {"validity": 3600}),
        ("source-addr-ton = 3", {}),
        ("source-addr-autodetect = no\nsource-addr-ton = 3\nsource-addr-npi = 8", {"source_ton": 3, "source_npi": 8}),
        ("use-ssl = yes", {"tls": True}),
        ("connection-timeout = 0\nenquire-link-interval = 55", {"keepalive": 55.0}),
        ("alt-charset = ISO-8859-1", {"alphabet": "latin1"}),
        ("alt-charset = KOI8-R", {}),
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
    ("text", "why"),
    [
        ("group = core\n", "no `group = smsc`"),
        ("group = smsc\nsmsc = smpp\nnonsense\n", "line 3: not `key = value`"),
        ("include = other.conf\n", "line 1: include is not followed"),
        ("group = smsc\nsmsc = smpp\nhost = x\nport = many\n", "port: 'many'"),
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
    for knob in (*kannel.KANNEL, *kannel.JASMIN):
        assert knob.key in ("", "name") or knob.key in SmppConfig.model_fields, knob
        assert knob.key or knob.remark, knob


def test_the_reference_is_fresh_and_says_something_of_every_key() -> None:
    assert (ROOT / smsc_pages.PAGE).read_text() == smsc_pages.page(), "run `jangada docs smsc`"
    assert [name for name, info in SmppConfig.model_fields.items() if not info.description] == []


def test_the_quirks_name_keys_that_exist() -> None:
    rows = (ROOT / "docs/smsc/quirks.md").read_text().splitlines()[4:]
    named = [key for row in rows for key in re.findall(r"`([a-z0-9_]+)(?::[^`]*)?`", row.split("|")[3])]
    assert len(named) > 30
    assert [key for key in named if key not in SmppConfig.model_fields and key not in ("payload", "address")] == []
