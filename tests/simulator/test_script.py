"""Scripts: what is read, what is refused, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsc_relay.simulator import ScriptError, load
from smsc_relay.simulator.script import Script, merged, parse
from smsc_relay.simulator.settings import DEFAULT_RULES


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param({"acounts": {}}, "acounts: unknown key", id="unknown key"),
        pytest.param({"behaviour": {"answers": {"dely": 1}}}, "behaviour.answers.dely: unknown key", id="deeper"),
        pytest.param({"behaviour": {"answers": {"delay": [2, 1]}}},
                     "behaviour.answers.delay: must be [shortest, longest]", id="range"),
        pytest.param({"behaviour": {"answers": {"delay": -1}}}, "must not be negative", id="negative"),
        pytest.param({"behaviour": {"answers": {"over_tps": "RTHROTLED"}}}, "such as RSYSERR", id="unknown status"),
        pytest.param({"behaviour": {"ids": {"answer": "octal"}}}, "must be one of decimal, padded", id="id form"),
        pytest.param({"behaviour": {"ids": {"answer": "{m}"}}}, "knows only {n}, {uuid}", id="id template"),
        pytest.param({"behaviour": {"ids": {"answer": "{n.real}"}}}, "knows only", id="id template, attribute"),
        pytest.param({"behaviour": {"ids": {"answer": "{n:0300d}"}}}, "more than 240 characters", id="id too long"),
        pytest.param({"behaviour": {"ids": {"answer": "안{n}"}}}, "must be characters of Latin-1", id="id, Korean"),
        pytest.param({"behaviour": {"login": {"smsc": "안녕"}}}, "must be characters of Latin-1", id="name, Korean"),
        pytest.param({"behaviour": {"answers": {"tlvs": [{"tag": 0x1400, "value": "x" * 60_000}]}}},
                     "answers.tlvs: must be at most 60000 octets", id="TLVs too long"),
        pytest.param({"behaviour": {"receipts": {"style": "{id"}}}, "style: ", id="broken template"),
        pytest.param({"behaviour": {"receipts": {"style": "{id:d}"}}}, "style: ", id="template, wrong format"),
        pytest.param({"behaviour": {"receipts": {"state": "DELIVERED"}}}, "receipts.state: ", id="state"),
        pytest.param({"behaviour": {"link": {"close_after": 0}}}, "link.close_after: ", id="not above 0"),
        pytest.param({"accounts": {"ilha": {"behaviour": {"mo": {"window": 0}}}}},
                     "accounts.ilha.behaviour.mo.window: ", id="an account's behaviour"),
        pytest.param({"accounts": {"ilha": {"alphabet": "morse"}}}, "accounts.ilha.alphabet: must be one of gsm7",
                     id="alphabet"),
        pytest.param({"accounts": {"ilha": {"binds": ["both"]}}}, "accounts.ilha.binds.0: ", id="bind type"),
        pytest.param({"destinations": {9: {}}}, 'write the digits in quotes, such as "0011"', id="suffix as a number"),
        pytest.param({"destinations": {"0x": {}}}, "0x is no suffix", id="suffix of letters"),
        pytest.param({"destinations": {"0011": {"nack": True}}}, "destinations.0011: nack needs a status", id="nack"),
        pytest.param({"accounts": {"ilha": {"outbind": {}}}}, "accounts.ilha.outbind.port: ", id="outbind"),
        pytest.param([], "a script is a mapping", id="no mapping"),
    ],
)  # fmt: skip
def test_what_is_refused(data: Any, error: str) -> None:
    with pytest.raises(ScriptError) as refused:
        parse(data)
    assert error in str(refused.value)


def test_errors_hold_no_value() -> None:
    with pytest.raises(ScriptError) as refused:
        parse({"accounts": {"ilha": {"password": ["hunter2"], "tps": "hunter2"}}})
    assert "accounts.ilha.password" in str(refused.value)
    assert "accounts.ilha.tps" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_an_account_says_where_it_differs() -> None:
    script = parse(
        {
            "accounts": {"ilha": {"behaviour": {"answers": {"reorder": 3}}}, "other": {}},
            "behaviour": {"answers": {"delay": 1}, "mo": {"window": 5}},
        }
    )
    ilha, other = script.behaviour_of("ilha"), script.behaviour_of("other")
    assert (ilha.answers.reorder, ilha.answers.delay, ilha.mo.window) == (3, (1, 1), 5)
    assert (other.answers.reorder, other.answers.delay) == (0, (1, 1))


@pytest.mark.parametrize(
    ("base", "patch", "result"),
    [
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}, id="mappings are merged"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="lists are replaced"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, id="null is a value"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="a mapping for a value"),
        pytest.param({"a": {"b": 1}}, {"a": 2}, {"a": 2}, id="a value for a mapping"),
        pytest.param({"a": {}}, {}, {"a": {}}, id="nothing"),
    ],
)
def test_merged(base: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(base, patch) == result


def test_a_patch_keeps_what_it_does_not_name() -> None:
    script = parse({"accounts": {"ilha": {"password": "secret", "tps": 5}}, "destinations": {"0088": None}})
    changed = script.patched({"accounts": {"ilha": {"tps": 7}, "other": {}}})
    assert (changed.accounts["ilha"].password, changed.accounts["ilha"].tps) == ("secret", 7)
    assert set(changed.accounts) == {"ilha", "other"}
    assert "0088" not in changed.rules
    assert script.accounts["ilha"].tps == 5


def test_every_template_survives_a_patch() -> None:
    script = parse({"behaviour": {"ids": {"answer": "none", "receipt": "hex"}, "receipts": {"style": "csv"}}})
    assert script.patched({"seed": 1}).behaviour == script.behaviour


def test_built_in_rules_are_there_unless_told() -> None:
    assert Script().rules == DEFAULT_RULES
    assert parse({"built_in": False}).rules == {}


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_change_the_ones_before(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    first.write_text('accounts: {ilha: {password: secret}}\ndestinations: {"0011": {status: RSYSERR}}\n')
    second.write_text('{"accounts": {"ilha": {"tps": 5}}}')
    script = load([first, second])
    assert (script.accounts["ilha"].password, script.accounts["ilha"].tps) == ("secret", 5)
    assert script.rules["0011"].status == 8


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        pytest.param("a.yaml", "accounts:\n  ilha: {\n", "a.yaml:3: not YAML", id="YAML"),
        pytest.param("a.json", "{\n,}", "a.json:2: not JSON", id="JSON"),
        pytest.param("a.yaml", "- 1\n", "a.yaml: a script is a mapping", id="a list"),
        pytest.param("a.yaml", "seed: x\n", "a.yaml: seed: ", id="a bad key"),
        pytest.param("a.yaml", "destinations: {0011: {}}\n", "a.yaml: destinations: 9 is no suffix", id="no quotes"),
        pytest.param("a.yaml", None, "a.yaml: cannot be read: No such file", id="no file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, text: str | None, error: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ScriptError) as refused:
        load([tmp_path / name])
    assert str(refused.value).startswith(f"{tmp_path}/{error}")
