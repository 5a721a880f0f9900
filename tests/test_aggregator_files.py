"""Aggregator files: every mistake is named by file, line, key and fix, and no secret is in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import aggregator_files
from cli.aggregator_files import FileError, load

GOOD = """\
name: at-ug
type: AT
config:
  username: ilha
  api_key: !secret
contacts: {noc: "+256700000000"}
channels:
  - {uuid: a86f686f-9168-4dd9-a03e-77f11b265b56, id: 346, address: "8080", country: UG, workspace: w, platform: main}
platforms:
  main: {base_url: "https://rapidpro.example.org", credential: !secret}
"""


def test_a_good_file() -> None:
    found = load(GOOD, "at-ug.yaml")
    assert found.aggregator is not None
    assert (found.aggregator.name, found.aggregator.type, found.secrets) == ("at-ug", "AT", ("api_key",))
    assert [one.address for one in found.aggregator.channels] == ["8080"]
    assert found.platforms["main"].base_url == "https://rapidpro.example.org"
    assert found.at("channels", 0, "address") == "at-ug.yaml:8"


def test_platforms_alone() -> None:
    found = load("platforms:\n  main: {base_url: 'https://rapidpro.example.org'}\n", "platforms.yaml")
    assert found.aggregator is None
    assert list(found.platforms) == ["main"]


SMSC = """\
name: mtn-ug
type: SMPP
config: {host: 10.64.10.20, port: 2775, system_id: ilha, password: !secret}
"""


def test_an_smsc() -> None:
    found = load(SMSC, "mtn-ug.yaml")
    assert found.aggregator is not None
    assert (found.aggregator.type, found.secrets) == ("SMPP", ("password",))


def test_the_password_of_an_smsc_in_clear() -> None:
    with pytest.raises(FileError, match=r"mtn-ug.yaml:3: config.password: is a secret: write `password: !secret`"):
        load(SMSC.replace("!secret", "hunter2"), "mtn-ug.yaml")


def test_a_type_in_lower_case_and_anchors() -> None:
    text = GOOD.replace("type: AT", "type: at").replace("contacts: {noc", "contacts: &c {noc")
    assert load(text, "f").aggregator is not None


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


CASES = [
    pytest.param(edited("username:", "user_name:"), [
        "f.yaml:3: config.username: required key is missing",
        "f.yaml:4: config.user_name: unknown key; did you mean username?"], id="unknown config key"),
    pytest.param(edited("contacts:", "contact:"), ["f.yaml:6: contact: unknown key; did you mean contacts?"],
                 id="unknown key"),
    pytest.param(edited("address:", "adress:"), [
        "f.yaml:8: channels.0.address: required key is missing",
        "f.yaml:8: channels.0.adress: unknown key; did you mean address?"], id="unknown channel key"),
    pytest.param(edited("credential:", "credentials:"), [
        "f.yaml:10: platforms.main.credentials: unknown key; did you mean credential?",
        "f.yaml:10: platforms.main.credentials: `!secret` is for the keys of the aggregator's config and for a "
        "platform's credential"], id="unknown platform key"),
    pytest.param(edited("type: AT", "type: ATT"), ["f.yaml:2: type: no such type; did you mean AT?"], id="type"),
    pytest.param(edited("name: at-ug", "name: At Ug"), [
        "f.yaml:1: name: must be 1 to 40 of a-z, 0-9 and -, and begin with a letter or digit"], id="name"),
    pytest.param(edited("name: at-ug", "name: shared"), [
        'f.yaml:1: name: its queue would be another\'s: not "shared", and no name that ends in -bulk or -dlq'],
        id="name of the shared lane"),
    pytest.param(edited("name: at-ug", "name: at-bulk"), [
        'f.yaml:1: name: its queue would be another\'s: not "shared", and no name that ends in -bulk or -dlq'],
        id="name of a bulk lane"),
    pytest.param(edited('address: "8080"', "address: 8080"), [
        'f.yaml:8: channels.0.address: must be text: put it in quotes, "8080"'], id="number for text"),
    pytest.param(edited("country: UG", "country: NO"), [
        'f.yaml:8: channels.0.country: must be text: put it in quotes, "NO"'], id="Norway"),
    pytest.param(edited("country: UG", "country: Uganda"), [
        'f.yaml:8: channels.0.country: must be the two capital letters of a country, e.g. "UG"'], id="country"),
    pytest.param(edited("uuid: a86f686f-9168-4dd9-a03e-77f11b265b56", "uuid: 346"), [
        "f.yaml:8: channels.0.uuid: UUID input should be a string, bytes or UUID object"], id="uuid"),
    pytest.param(edited("https://rapidpro", "ftp://rapidpro"), [
        "f.yaml:10: platforms.main.base_url: must be an absolute URL without a query, e.g. "
        "https://rapidpro.example.org"], id="base URL"),
    pytest.param(edited("https://rapidpro", "https://me:hunter2@rapidpro"), [
        "f.yaml:10: platforms.main.base_url: a URL with a password in it is refused: write `credential: !secret`"],
        id="password in the base URL"),
    pytest.param(edited("  api_key: !secret\n", ""), [
        "f.yaml:3: config.api_key: required key is missing: write `api_key: !secret`, then `jangada aggregator secret "
        "NAME api_key`"], id="secret missing"),
    pytest.param(edited("api_key: !secret", "api_key: hunter2"), [
        "f.yaml:5: config.api_key: is a secret: write `api_key: !secret`, then `jangada aggregator secret NAME "
        "api_key`"], id="secret in clear"),
    pytest.param(edited("credential: !secret", "credential: Token hunter2"), [
        "f.yaml:10: platforms.main.credential: is a secret: write `credential: !secret`, then `jangada platform "
        "credential NAME`"], id="credential in clear"),
    pytest.param(edited('noc: "+256700000000"', "noc: !secret"), [
        "f.yaml:6: contacts.noc: `!secret` is for the keys of the aggregator's config and for a platform's credential"],
        id="secret where none belongs"),
    pytest.param(edited("contacts:", "vpn: {ike: {phase1: {pre_shared_key: hunter2}}}\ncontacts:"), [
        "f.yaml:6: vpn.ike.phase1.pre_shared_key: looks like a secret: keep it out of the file; Terraform has AWS make "
        "the VPN's keys"], id="key of the VPN"),
    pytest.param(edited("platform: main}", "platform: main, config: {api_key: hunter2}}"), [
        "f.yaml:8: channels.0.config.api_key: is a secret: it goes into the aggregator's config, as `!secret`"],
        id="secret of a channel"),
    pytest.param(edited("platform: main}", "platform: main, config: {max_tsp: 5}}"), [
        "f.yaml:8: channels.0.config.max_tsp: unknown key; did you mean max_tps?"], id="unknown key of a channel"),
    pytest.param(edited("platform: main}", "platform: main, config: {max_tps: -1}}"), [
        "f.yaml:8: channels.0.config.max_tps: Input should be greater than 0"], id="bad value of a channel"),
    pytest.param(edited("username: ilha", "username: ilha\n  username: other"), [
        "f.yaml:5: config.username: is there twice, first in line 4"], id="key twice"),
    pytest.param(edited("channels:\n", 'channels:\n  - {uuid: 0b3c8e52-1f6a-4a7e-9d5b-6f0e2c4d8a91, address: " 80 80", '
                        "workspace: w, platform: main}\n"), [
        "f.yaml:9: channels.1.address: is that of channels.0 already"], id="address twice"),
    pytest.param(edited("channels:\n", 'channels:\n  - {uuid: A86F686F-9168-4dd9-a03e-77f11b265b56, id: 346, '
                        'address: "9090", workspace: w, platform: main}\n'), [
        "f.yaml:9: channels.1.uuid: is that of channels.0 already",
        "f.yaml:9: channels.1.id: is that of channels.0 already"], id="channel twice"),
    pytest.param(edited("name: at-ug\n", "name: [at-ug\n"), ["f.yaml:2: not YAML: expected ',' or ']', but got ':'"],
                 id="not YAML"),
    pytest.param("a: &a [*a]\n", ["f.yaml:1: not YAML: an alias contains itself"], id="endless YAML"),
    pytest.param("a: !!python/none\n", [
        "f.yaml:1: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/none'"],
        id="a tag that runs code"),
    pytest.param("", ["f.yaml:1: the file must be a mapping with name, type, config and channels"], id="empty"),
    pytest.param("- a\n", ["f.yaml:1: the file must be a mapping with name, type, config and channels"], id="a list"),
    pytest.param("platforms: {}\n", [
        "f.yaml:1: platforms: Dictionary should have at least 1 item after validation, not 0"], id="no platforms"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_mistakes(text: str, expected: list[str]) -> None:
    with pytest.raises(FileError) as refusal:
        load(text, "f.yaml")
    assert str(refusal.value).splitlines() == expected
    assert "hunter2" not in str(refusal.value)


def test_all_mistakes_of_a_file_are_named_at_once() -> None:
    text = edited("username: ilha", "username: ''").replace("api_key: !secret", "api_key: hunter2")
    with pytest.raises(FileError) as refusal:
        load(text.replace('address: "8080"', 'address: ""'), "f.yaml")
    assert [line.split(": ")[:2] for line in str(refusal.value).splitlines()] == [
        ["f.yaml:4", "config.username"],
        ["f.yaml:5", "config.api_key"],
        ["f.yaml:8", "channels.0.address"],
    ]


@pytest.mark.parametrize("style", [pytest.param("{username: u, api_key: !secret}", id="before a brace"),
                                   pytest.param("{api_key: !secret, username: u}", id="before a comma")])  # fmt: skip
def test_a_secret_within_braces(style: str) -> None:
    found = load(f"name: at-ug\ntype: AT\nconfig: {style}\n", "f.yaml")
    assert found.secrets == ("api_key",)


EXTERNAL = """\
name: ext
type: EX
config:
  send_url: {url}
  headers: {headers}
"""


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        pytest.param("https://a.example/send?user=u&password=hunter2", "{}", "config.send_url", id="parameter"),
        pytest.param("https://u:hunter2@a.example/send", "{}", "config.send_url", id="user info"),
        pytest.param("https://a.example/send", "{X-Api-Key: hunter2}", "config.headers.X-Api-Key", id="header"),
        pytest.param("https://a.example/send", "{Authorization: hunter2}", "config.headers.Authorization", id="auth"),
    ],
)
def test_credentials_hidden_in_templates_are_refused(url: str, headers: str, expected: str) -> None:
    with pytest.raises(FileError) as refusal:
        load(EXTERNAL.format(url=url, headers=headers), "f.yaml")
    assert f": {expected}: " in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("https://a.example/send?to={{to}}&key={{id}}", "{X-Route: premium}", id="plain"),
        pytest.param("!secret", "!secret", id="whole templates as secrets"),
    ],
)
def test_templates_without_credentials_are_taken(url: str, headers: str) -> None:
    assert load(EXTERNAL.format(url=f'"{url}"' if url[0] != "!" else url, headers=headers), "f.yaml").aggregator


@pytest.mark.parametrize(
    "missing", [pytest.param("nothing-here.yaml", id="no file"), pytest.param("latin.yaml", id="octets")]
)
def test_files_that_cannot_be_read(tmp_path: Path, missing: str) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(FileError, match=missing):
        aggregator_files.read(str(tmp_path / missing))


def test_several_files_with_the_mistakes_of_all(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "name: a\n"), ("b.yaml", GOOD), ("c.yaml", "- x\n")):
        (tmp_path / name).write_text(text)
    with pytest.raises(FileError) as refusal:
        aggregator_files.read_all([str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml")])
    assert [line.split(": ")[0].rpartition("/")[2] for line in str(refusal.value).splitlines()] == [
        "a.yaml:1",
        "c.yaml:1",
    ]
