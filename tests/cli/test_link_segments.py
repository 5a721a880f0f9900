"""`jangada segments` for one SMSC account, of the registry or of a file: what it makes of a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Jangada
from tests.support import Aws

File = Callable[[str, str], str]
SMPP = "{host: 10.64.10.20, system_id: ilha, password: !secret"
SHOWN = """\
link             mtn-tr, SMPP
alphabet         UCS-2, data_coding 8
segments         2 segments: 70 + 3 UTF-16 units
forces UCS-2     ’ U+2019
encoding: smart  iso8859-9, 1 segment: 73 octets
"""


def account(config: str = "", code: str = "SMPP", keys: str = SMPP) -> str:
    return f"name: mtn-tr\ntype: {code}\nconfig: {keys}{config and ', ' + config}}}\n"


@pytest.mark.parametrize(
    ("text", "config", "expected"),
    [
        pytest.param("hello", "", {"encoding": "gsm7", "data_coding": 0, "segments": 1, "units_of_segments": [5]},
                     id="GSM 7-bit"),
        pytest.param("a" * 161, "long_messages: udh16", {"units_of_segments": [152, 9], "submits": 2}, id="16 bits"),
        pytest.param("a" * 161, "long_messages: payload", {"units_of_segments": [153, 8], "submits": 1},
                     id="the SMSC cuts"),
        pytest.param("a" * 161, "max_parts: 1", {"segments": 2, "fails": "max_parts is 1"}, id="too long"),
        pytest.param("€[x]", "", {"costs": {"€ U+20AC": 2, "[ U+005B": 2, "] U+005D": 2}}, id="extension"),
        pytest.param("ş" * 141, "alphabet: iso8859-9",
                     {"encoding": "iso8859-9", "unit": "octets", "units_of_segments": [134, 7], "costs": {}},
                     id="Latin-5"),
        pytest.param("ж", "alphabet: iso8859-5", {"encoding": "iso8859-5", "data_coding": 6}, id="Cyrillic"),
        pytest.param("flood", "message_class: 0", {"encoding": "gsm7", "data_coding": 16}, id="flash"),
        pytest.param("日a", "alphabet: shift_jis", {"data_coding": 5, "costs": {"日 U+65E5": 2}}, id="Shift JIS"),
        pytest.param("ж😀", "", {"encoding": "ucs2", "unit": "UTF-16 units", "costs": {"😀 U+1F600": 2},
                               "forces_ucs2": ["ж U+0436", "😀 U+1F600"]}, id="UCS-2"),
        pytest.param("ж", "alphabet: ucs2", {"encoding": "ucs2", "forces_ucs2": []}, id="nothing but UCS-2"),
        pytest.param("a", "encoding: ucs2", {"encoding": "ucs2", "forces_ucs2": []}, id="always UCS-2"),
        pytest.param("Δ" * 128, "alphabet: utf-8", {"unit": "septets", "units_of_segments": [124, 4]}, id="UTF-8"),
        pytest.param("é" * 150, "alphabet: latin1, segment_limits: {latin1: 140}",
                     {"unit": "octets", "units_of_segments": [134, 16]}, id="limits of its own"),
        pytest.param("Ş" + "a" * 153, "national_languages: [turkish]",
                     {"encoding": "gsm7:1:0", "units_of_segments": [155], "costs": {"Ş U+015E": 2}},
                     id="national language"),
        pytest.param("It’s", "", {"encoding": "ucs2", "smart": {"encoding": "gsm7", "segments": 1}}, id="smart"),
        pytest.param("It’s", "encoding: smart", {"encoding": "gsm7", "smart": None}, id="smart already"),
    ],
)  # fmt: skip
def test_of_a_file(cli: Jangada, file: File, text: str, config: str, expected: dict[str, Any]) -> None:
    path = file("mtn-tr.yaml", account(config))
    found = json.loads(cli("segments", text, "--file", path, "--json").out)
    assert {key: found[key] for key in expected} == expected
    assert json.loads(cli("segments", "-", "--file", path, "--json", stdin=text + "\n").out) == found


def test_as_it_is_shown(cli: Jangada, file: File) -> None:
    path = file("mtn-tr.yaml", account("alphabet: iso8859-9, segment_limits: {ucs2: [72, 70]}"))
    assert cli("segments", "Şu ’" + "ş" * 69, "--file", path).out == SHOWN
    path = file("mtn-tr.yaml", account("national_languages: [turkish], max_parts: 1"))
    assert cli("segments", "Ş" + "a" * 155, "--file", path).out.splitlines()[1:] == [
        "alphabet    GSM 7-bit with the turkish single shift table, data_coding 0",
        "segments    2 segments: 149 + 8 septets",
        "fails       max_parts is 1",
        "costs more  Ş U+015E 2",
    ]
    path = file("mtn-tr.yaml", account("long_messages: payload"))
    assert "2 segments: 153 + 8 septets, which the SMSC makes of one submit\n" in cli(
        "segments", "a" * 161, "--file", path
    ).out  # fmt: skip


@pytest.mark.parametrize(
    ("code", "keys", "text", "expected"),
    [
        pytest.param("UCP", "{host: smsc, username: '1234', password: !secret", "ж",
                     {"encoding": "ucs2", "data_coding": 8, "segments": 1}, id="UCP"),
        pytest.param("UCP", "{host: smsc, username: '1234', long_messages: smsc", "a" * 161,
                     {"units_of_segments": [153, 8], "submits": 1, "data_coding": None}, id="UCP, the SMSC cuts"),
        pytest.param("CIMD2", "{host: smsc, username: ilha, password: !secret", "€" * 81,
                     {"encoding": "gsm7", "units_of_segments": [152, 10]}, id="CIMD2"),
    ],
)  # fmt: skip
def test_of_other_protocols(
    cli: Jangada, file: File, code: str, keys: str, text: str, expected: dict[str, Any]
) -> None:
    found = json.loads(cli("segments", text, "--json", "--file", file("x.yaml", account(code=code, keys=keys))).out)
    assert {key: found[key] for key in expected} == expected


def test_of_a_registered_account(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("mtn-tr", "SMPP", config={"host": "smsc", "system_id": "ilha", "alphabet": "iso8859-9"},
                   secrets={"password": "hunter2"})  # fmt: skip
    ran = jangada("segments", "şey", "--link", "mtn-tr")
    assert ran.out.splitlines()[1] == "alphabet  iso8859-9, data_coding 0"
    assert "hunter2" not in ran.out + ran.err


def test_what_cannot_be_told(aws: Aws, jangada: Jangada, file: File) -> None:
    aws.aggregator("mtn-tr", "SMPP", config={"host": "smsc", "system_id": "ilha"})
    aws.aggregator("at-ug", "AT", config={"username": "ilha"})
    assert "did you mean mtn-tr?" in jangada("segments", "x", "--link", "mtn-rt").err
    assert "no SMSC account at-ug" in jangada("segments", "x", "--link", "at-ug").err
    path = file("at-ug.yaml", "name: at-ug\ntype: AT\nconfig: {username: ilha, api_key: !secret}\n")
    assert jangada("segments", "x", "--file", path).err == "jangada: at-ug.yaml has no SMSC account\n"
    assert "nowhere.yaml: No such file" in jangada("segments", "x", "--file", "nowhere.yaml").err
    both = jangada("segments", "x", "--file", path, "--link", "mtn-tr")
    assert (both.status, "not allowed with" in both.err) == (2, True)
    path = file("u.yaml", account(code="UCP", keys="{host: smsc, username: '1234', operation: '30'"))
    assert jangada("segments", "ж", "--file", path).err == (
        "jangada: such a message fails: the text needs UCS-2, which operation 30 does not have\n"
    )
