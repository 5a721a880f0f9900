"""docs/simulator.md says what there is, and its scripts are scripts."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from smsc_relay.simulator.control import Control
from smsc_relay.simulator.deliveries import MoRequest, SmppFields
from smsc_relay.simulator.script import AccountSettings, Script, parse
from smsc_relay.simulator.settings import DEFAULT_RULES, ID_FORMS, RECEIPT_STYLES, Behaviour, Rule
from smsc_relay.smpp.constants import status_name
from tests.simulator.clients import Raw, submit

TEXT = (Path(__file__).parent.parent.parent / "docs" / "simulator.md").read_text()
SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("| key of a rule | |", Rule),
    ("| key | |\n|---|---|\n| `accounts`", Script),
    ("### Accounts", AccountSettings),
    ("| key of `POST /mo` | |", MoRequest),
    ("| `smpp` | fields", SmppFields),
    *((f"`{name}`: ", type(getattr(Behaviour(), name))) for name in Behaviour.model_fields),
]


def section(start: str) -> str:
    """From its first words to the end of its table."""
    assert TEXT.count(f"\n{start}") == 1
    return re.split(r"\n(?=\n[^|])", TEXT.partition(f"\n{start}")[2].replace("\n\n|", "\n|"))[0]


@pytest.mark.parametrize(("start", "model"), [pytest.param(*one, id=one[1].__name__) for one in SECTIONS])
def test_every_key_is_there(start: str, model: type[BaseModel]) -> None:
    named = set(re.findall(r"`([a-z_]+)`", start + section(start)))
    keys = {info.alias or name for name, info in model.model_fields.items()}
    assert keys <= named


def test_the_table_of_suffixes() -> None:
    assert re.findall(r"^\| `(\d+)` \|", TEXT, re.MULTILINE) == sorted(DEFAULT_RULES)
    for suffix, rule in DEFAULT_RULES.items():
        if rule.status is not None and not rule.nack:
            (line,) = re.findall(rf"^\| `{suffix}` \| (.*) \|$", TEXT, re.MULTILINE)
            assert status_name(rule.status) in line


def test_names_of_forms_and_styles() -> None:
    for name in (*ID_FORMS, *RECEIPT_STYLES):
        assert f"`{name}`" in TEXT


def test_scripts() -> None:
    scripts = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(scripts) == 2
    for text in scripts:
        parse(yaml.safe_load(text))


def test_requests() -> None:
    there = {
        f"{route.method} {route.path}"
        for route in Control(None, None, None, None).routes()  # type: ignore[arg-type]
        if route.path != "/"
    }
    told = set(re.findall(r"`((?:GET|POST) /[a-z]+)`", TEXT))
    assert there == told


async def test_the_sample() -> None:
    (sample,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    tasks = []

    async def esme(port: int) -> None:
        client = Raw(*await asyncio.open_connection("127.0.0.1", port))
        await client.bind()
        await client.ask(submit())
        assert (await client.delivered()).short_message == b"STOP"
        client.close()

    def connect_to(host: str, port: int) -> None:
        tasks.append(asyncio.create_task(esme(port)))

    names: dict[str, Any] = {"connect_to": connect_to}
    exec("async def run():\n" + textwrap.indent(sample, "    ") + "    return smsc\n", names)
    smsc = await names["run"]()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert len(smsc.mos) == 1
