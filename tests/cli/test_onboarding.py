"""`jangada smsc new | form | secret`: the file, our form, the secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import registry_store
from cli import aggregator_files
from cli.aggregator_files import SECRET, AggregatorFile
from tests.cli.conftest import Jangada
from tests.support import Aws

UUID = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
VPN = ["196.0.0.10", "10.64.10.0/24", "", "", "", "", "", "", "", "14, 19", "3600"]
NO_VPN, NO_CONTACTS, NO_CHANNEL = [""], ["", ""], [""]
CHANNEL = [UUID, "8080", "UG", "unicef-uganda", "main", ""]
SMPP = ["smpp", "10.64.10.20", "2775", "", "ilha", "", "", "", "", "2", "20", "50", "", ""]
ANSWERS = """\
type: SMPP
config: {host: 10.64.10.20, port: 2775, system_id: ilha, password: !secret, window: 20, max_tps: 50}
vpn:
  peer_ip: 196.0.0.10
  their_networks: [10.64.10.0/24]
  ike: {version: 2, phase1: {encryption: AES256-GCM-16, dh_groups: [19]}}
contacts: {noc: "+256 770 000 000"}
channels:
  - {uuid: 6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4, address: "8080", country: UG, workspace: unicef, platform: main}
"""
OUTPUTS: dict[str, Any] = {
    "source_addresses": ["10.213.65.10", "10.213.65.26"],
    "public_addresses": [],
    "vpn_connections": {
        "mtn-ug": {
            "id": "vpn-1", "tunnel1_address": "192.0.2.1", "tunnel2_address": "192.0.2.2",
            "our_selector": "10.213.65.0/27", "their_selector": "10.64.10.0/24",
            "peer_ip": "196.0.0.10", "routing": "static",
            "ike": {"versions": ["ikev2"], "phase1": {"encryption": ["AES256-GCM-16"], "integrity": ["SHA2-512"],
                    "dh_groups": [19], "lifetime": 7200}, "phase2": {"lifetime": 1800}},
        }
    },
}  # fmt: skip
File = Callable[[str, str], str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(name: str = "mtn-ug") -> AggregatorFile:
    found = aggregator_files.read(f"{name}.yaml").aggregator
    assert found is not None
    return found


def lines(*answers: str) -> str:
    return "\n".join(answers) + "\n"


# --- new ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "config"),
    [
        pytest.param(
            SMPP,
            {"host": "10.64.10.20", "system_id": "ilha", "password": SECRET, "binds": 2, "window": 20, "max_tps": 50},
            id="SMPP",
        ),
        pytest.param(
            ["ucp", "10.64.10.20", "5001", "pair", "8080", "", "", "", "", "", "", ""],
            {"host": "10.64.10.20", "port": 5001, "bind": "pair", "username": "8080", "password": SECRET},
            id="UCP",
        ),
        pytest.param(
            ["UCP", "10.64.10.20", "", "", "", "", "", "", "", "", ""], {"host": "10.64.10.20"}, id="UCP-no-login"
        ),
        pytest.param(
            ["CIMD2", "10.64.10.20", "", "ilha", "", "", "4", "", "", "UG"],
            {"host": "10.64.10.20", "username": "ilha", "password": SECRET, "window": 4, "country": "UG"},
            id="CIMD2",
        ),
    ],
)
def test_questions_make_a_file(cli: Jangada, answers: list[str], config: dict[str, Any]) -> None:
    ran = cli("smsc", "new", "mtn-ug", stdin=lines(*answers, *NO_VPN, *NO_CONTACTS, *NO_CHANNEL))
    assert (ran.status, ran.err.count("must")) == (0, 0), ran.err
    assert {**config, **read().config} == read().config == config
    assert "next:" in ran.out


def test_vpn_contacts_and_channels(cli: Jangada) -> None:
    ran = cli("smsc", "new", "mtn-ug", stdin=lines(*SMPP, *VPN, "+256 770 000 000", "", *CHANNEL))
    assert ran.status == 0, ran.err
    file = read()
    assert file.vpn["ike"]["phase2"] == {
        "encryption": "AES256", "integrity": "SHA2-256", "dh_groups": [14, 19], "lifetime": 3600
    }  # fmt: skip
    assert (file.contacts, file.channels[0].address) == ({"noc": "+256 770 000 000"}, "8080")


@pytest.mark.parametrize(
    ("at", "bad", "said"),
    [
        pytest.param(0, "SMMP", "must be one of CIMD2, SMPP, UCP", id="type"),
        pytest.param(1, "10.64.10.20:2775", "host: must be a host name or IP address alone", id="host"),
        pytest.param(2, "70000", "port: Input should be less than or equal to 65535", id="port"),
        pytest.param(3, "both", "bind: Input should be 'transceiver'", id="bind"),
        pytest.param(4, "", "system_id: needs an answer", id="needed"),
        pytest.param(10, "0", "window: Input should be greater", id="window"),
        pytest.param(13, "uganda", "country: ", id="country"),
        pytest.param(14, "mtn.example", "vpn.peer_ip must be the public IPv4", id="peer"),
        pytest.param(15, "10.64.10.1/24", "without host bits", id="network"),
        pytest.param(15, "10.65.0.0/16", "must contain the SMSC's host 10.64.10.20", id="elsewhere"),
        pytest.param(16, "3", "must be one of 1, 2", id="version"),
        pytest.param(17, "3DES", "AWS has no 3DES", id="encryption"),
        pytest.param(19, "1", "AWS has no 1;", id="group"),
        pytest.param(24, "86400", "900 to 3600 s", id="lifetime"),
        pytest.param(27, "1234", "channel.uuid: ", id="uuid"),
    ],
)
def test_an_answer_is_checked_at_once(cli: Jangada, at: int, bad: str, said: str) -> None:
    answers = [*SMPP, *VPN, *NO_CONTACTS, *CHANNEL]
    ran = cli("smsc", "new", "mtn-ug", stdin=lines(*answers[:at], bad, *answers[at:]))
    assert ran.status == 0, ran.err
    assert said in ran.err
    assert read().config["system_id"] == "ilha"


def test_a_name_that_cannot_be(cli: Jangada) -> None:
    ran = cli("smsc", "new", "MTN_UG", stdin="")
    assert (ran.status, "must be 1 to 40 of a-z" in ran.err) == (1, True)


def test_every_key_may_be_asked_for(cli: Jangada) -> None:
    ran = cli("smsc", "new", "mtn-ug", "--all", stdin=lines("smpp", "10.64.10.20", "", "", "ilha"))
    assert ran.status == 1
    assert "no answer for system_type" not in ran.out
    assert not Path("mtn-ug.yaml").exists()


def test_no_file_is_written_over(cli: Jangada, file: File) -> None:
    file("mtn-ug.yaml", "mine")
    ran = cli("smsc", "new", "mtn-ug", "--from", file("answers.yaml", ANSWERS))
    assert (ran.status, Path("mtn-ug.yaml").read_text()) == (1, "mine")
    assert "there already" in ran.err


def test_answers_from_a_file(cli: Jangada, file: File) -> None:
    ran = cli("smsc", "new", "mtn-ug", "--from", file("answers.yaml", ANSWERS))
    assert ran.status == 0, ran.err
    made = read()
    assert made.config == aggregator_files.load(ANSWERS + "name: mtn-ug\n", "x").aggregator.config  # type: ignore[union-attr]
    assert "password: !secret\n" in Path("mtn-ug.yaml").read_text()
    assert made.vpn["ike"]["phase1"] == {"encryption": "AES256-GCM-16", "dh_groups": [19]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("password: !secret", "password: hunter2", "2: config.password: is a secret", id="clear"),
        pytest.param("window: 20", "windw: 20", "2: config.windw: unknown key; did you mean", id="key"),
        pytest.param("type: SMPP", "type: AT", "answers.yaml", id="http"),
        pytest.param("10.64.10.0/24", "10.64.11.0/24", "must contain the SMSC's host", id="network"),
        pytest.param("AES256-GCM-16", "3DES", "AWS has no 3DES", id="algorithm"),
        pytest.param("type: SMPP", "name: airtel-ug\ntype: SMPP", "is about airtel-ug", id="name"),
    ],
)
def test_answers_that_cannot_be_used(cli: Jangada, file: File, old: str, new: str, said: str) -> None:
    ran = cli("smsc", "new", "mtn-ug", "--from", file("answers.yaml", ANSWERS.replace(old, new)))
    assert ran.status == 1
    assert said in ran.err
    assert "hunter2" not in ran.err + ran.out
    assert not Path("mtn-ug.yaml").exists()


# --- form -----------------------------------------------------------------------------------------------------------


def test_the_form_before_anything_is_made(cli: Jangada, file: File) -> None:
    file("mtn-ug.yaml", "name: mtn-ug\n" + ANSWERS)
    text = cli("smsc", "form", "mtn-ug").out
    for line in (
        "| Our gateway, tunnel 1 | known after `terraform apply` |",
        "| Encryption domain, yours | 10.64.10.0/24 |",
        "| Encryption | AES256-GCM-16 | AES256 |",
        "| Diffie-Hellman group (phase 2: PFS) | 19 | 14 |",
        "| Lifetime, s | 28800 | 3600 |",
        "| We connect from | known after `terraform apply` |",
        "| To your host and port (TCP) | 10.64.10.20:2775 |",
        "| Messages a second, usual | to be filled in |",
        "| Ours | to be filled in |",
        "| Yours, as we know it: noc | +256 770 000 000 |",
    ):
        assert line in text


def test_the_form_of_an_smsc_that_calls(cli: Jangada, file: File, tmp_path: Path) -> None:
    config = "{host: 10.64.10.20, bind: pair, system_id: ilha, outbind_port: 2776, outbind_networks: [10.64.10.0/24]}"
    file("calls.yaml", f"name: calls\ntype: SMPP\nconfig: {config}\n")
    made = {"source_addresses": ["10.213.65.10"], "outbind_addresses": ["10.213.65.11", "10.213.65.27"]}
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({name: {"value": value} for name, value in made.items()}))
    text = cli("smsc", "form", "calls", "--outputs", str(outputs)).out
    assert "| You connect to | 10.213.65.11:2776, 10.213.65.27:2776 |" in text
    assert "| You connect from | 10.64.10.0/24 |" in text
    assert "| To your host and port (TCP) | 10.64.10.20:2775 |" in text


@pytest.mark.parametrize("nested", [True, False])
def test_the_form_from_outputs(cli: Jangada, file: File, nested: bool) -> None:
    """Those of an environment, where everything is in one output, and those of the root itself."""
    file("mtn-ug.yaml", "name: mtn-ug\n" + ANSWERS)
    outputs = {"jangada": {"value": OUTPUTS}} if nested else {key: {"value": one} for key, one in OUTPUTS.items()}
    file("outputs.json", json.dumps(outputs))
    ran = cli("smsc", "form", "mtn-ug", "--outputs", "outputs.json", "--tps", "20", "--peak", "50",
              "--per-day", "90000", "--contact", "noc=+55 82 0000", "--out", "form.md")  # fmt: skip
    assert ran.status == 0, ran.err
    text = Path("form.md").read_text()
    assert "known after" not in text
    for line in (
        "| Our gateway, tunnel 2 | 192.0.2.2 |",
        "| Encryption domain, ours | 10.213.65.0/27 |",
        "| Integrity | SHA2-512 | SHA2-256 |",
        "| Lifetime, s | 7200 | 1800 |",
        "| We connect from | 10.213.65.10, 10.213.65.26 |",
        "| Messages a second, peak | 50 |",
        "| Ours: noc | +55 82 0000 |",
    ):
        assert line in text


def test_outputs_of_something_else(cli: Jangada, file: File) -> None:
    file("mtn-ug.yaml", "name: mtn-ug\n" + ANSWERS)
    ran = cli("smsc", "form", "mtn-ug", "--outputs", file("outputs.json", '{"x": {"value": 1}}'))
    assert ran.status == 1
    assert "no source_addresses" in ran.err


# --- secret ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pipe", "file", "environment"])
def test_a_secret_goes_to_ssm_and_nowhere_else(
    jangada: Jangada, file: File, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    file("mtn-ug.yaml", "name: mtn-ug\n" + ANSWERS)
    monkeypatch.setenv("SECRET", "hunter2")
    given = {"pipe": [], "file": ["--file", file("secret", "hunter2\n")], "environment": ["--from-env", "SECRET"]}
    ran = jangada("smsc", "secret", "mtn-ug", *given[how], stdin="hunter2\n")
    assert ran.status == 0, ran.err
    assert "hunter2" not in ran.out + ran.err
    assert registry_store.read_secret("aggregators", "mtn-ug") == {"password": "hunter2"}


def test_several_secrets_of_a_registered_account(aws: Aws, jangada: Jangada) -> None:
    account = aws.aggregator("fast", "SMPP", config={"host": "10.64.10.20", "system_id": "ilha", "tls": True,
                                                     "tls_cert": "cert.pem"})  # fmt: skip
    registry_store.put_aggregator(account.model_copy(update={"secrets": ("password", "tls_key")}))
    for text, said in (("hunter2", "a line for each"), ("pasword: hunter2", "not marked as !secret: pasword"),
                       ("password: hünter2", "printable ASCII")):  # fmt: skip
        ran = jangada("smsc", "secret", "fast", stdin=text)
        assert (ran.status, said in ran.err, "nter2" in ran.err) == (1, True, False), ran.err
    ran = jangada("smsc", "secret", "fast", stdin="password: hunter2\n")
    assert "still missing: tls_key" in ran.out
    assert registry_store.read_secret("aggregators", "fast") == {"password": "hunter2"}


def test_an_account_that_nobody_knows(jangada: Jangada) -> None:
    ran = jangada("smsc", "secret", "mtn-ug", stdin="hunter2")
    assert ran.status == 1
    assert "`jangada smsc new mtn-ug` writes it" in ran.err
