"""What may be and is worth a look is said where a file is checked and applied, and where its secrets are given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import Jangada

LONG = "ilha_of_a_long_name"
NOTE = "is longer than usual: SMPP 3.4 has {} characters for it; some SMSCs cut or refuse more"


def account(**config: str) -> str:
    keys = {"host": "10.64.10.20", "system_id": "ilha", **config}
    return f"name: fast\ntype: SMPP\nconfig: {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}\n"


def notes(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("note: ")]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, []),
        ({"system_id": "x" * 15, "system_type": "x" * 12}, []),
        ({"system_id": LONG}, [f"note: fast: system_id {NOTE.format(15)}"]),
        ({"system_type": "x" * 13, "password": "!secret "}, [f"note: fast: system_type {NOTE.format(12)}"]),
        (
            {"service_type": "WAP-2G", "interface_version": "50"},
            [f"note: fast: service_type {NOTE.format(5).replace('3.4', '5.0')}"],
        ),
    ],
)
def test_of_a_file(
    jangada: Jangada, file: Callable[[str, str], str], config: dict[str, str], expected: list[str]
) -> None:
    name = file("fast.yaml", account(**config))
    checked = jangada("aggregator", "check", name)
    assert (checked.status, notes(checked.out)) == (0, expected)
    applied = jangada("aggregator", "apply", name)
    assert (applied.status, notes(applied.out)) == (0, expected)


@pytest.mark.parametrize("command", [("aggregator", "secret", "fast", "password"), ("smsc", "secret", "fast")])
def test_of_a_secret(jangada: Jangada, file: Callable[[str, str], str], command: tuple[str, ...]) -> None:
    jangada("aggregator", "apply", file("fast.yaml", account(system_id=LONG, password="!secret ")))
    assert notes(jangada(*command, stdin="hunter2").out) == []
    told = jangada(*command, stdin="hunter2hunter2")
    assert notes(told.out) == [f"note: fast: password {NOTE.format(8)}"]
    assert "hunter2" not in told.out + told.err


def test_of_other_types_there_are_none(jangada: Jangada, file: Callable[[str, str], str]) -> None:
    long = "x" * 50
    ran = jangada(
        "aggregator", "check", file("at.yaml", f"name: at\ntype: AT\nconfig: {{username: {long}, api_key: !secret }}\n")
    )
    assert (ran.status, notes(ran.out)) == (0, [])
