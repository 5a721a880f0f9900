"""docs/smsc/ucp.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.messages import Outgoing
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.protocol import Accepted, Arrived, Ready, Role, Surroundings
from smsc_relay.ucp.codec import decode
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.dialect import DIALECT
from tests.ucp.frames import wrapped

TEXT = (Path(__file__).parent.parent.parent / "docs" / "smsc" / "ucp.md").read_text()
ROWS = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in TEXT.splitlines() if line[:1] == "|"]
FRAMES = re.findall(r"^(->|<-) <STX>(.*)<ETX>$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("key", UcpConfig.model_fields)
def test_every_key_with_its_default_and_meaning(key: str) -> None:
    info = UcpConfig.model_fields[key]
    value: Any = info.default
    shown = f"`{str(value).lower() if isinstance(value, bool) else value}`"
    default = "needed" if info.is_required() else "" if value is None or value in ("", (), {}) else shown
    (row,) = [row for row in ROWS if row[0] == f"`{key}`" and row[1] in (default, default.replace("|", "\\|"))]
    assert row[2] == info.description


def test_quirks_and_peers_settings_name_keys_that_exist() -> None:
    tables = [row for row in ROWS if len(row) == 3 and row[0] not in {f"`{key}`" for key in UcpConfig.model_fields}]
    named = [
        key for row in tables for cell in row[1:] for key in re.findall(r"`([a-z][a-z0-9_]*)(?::[^`]*)?`", cell)
    ]  # fmt: skip
    assert len(named) > 40
    assert set(named) - set(UcpConfig.model_fields) == {"wait", "reconnect", "separate"}


def test_the_sample_is_a_config() -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    found = yaml.safe_load(sample.replace("!secret", "secret"))
    assert found["type"] == DIALECT.name
    UcpConfig.read(found["config"])


def test_the_worked_exchange() -> None:
    """What the SMSC says in it makes us say what we say in it."""
    config = UcpConfig.read({"host": "smsc", "username": "1234", "password": "secret", "keepalive": 30})
    wall = 1_769_851_866_000  # 2026-01-31T09:31:06Z
    talk = DIALECT.conversation(config, Role.TRANSCEIVER, 0, Surroundings("a", lambda: wall, lambda: "id"))
    message = Outgoing.model_validate(
        {"id": 1, "text": "Murakoze {€}", "to": "+250788123123", "from": "8080", "channel": 1}
    )  # fmt: skip
    told: list[Any] = []
    said = b""
    now = 0.0
    talk.start(now)
    for who, text in FRAMES:
        decode(text.encode())
        if who == "<-":
            new = [*talk.receive_data(wrapped(text), now), *talk.catch_up(now)]
            told += new
            for one in new:
                if isinstance(one, Ready):
                    talk.submit(DIALECT.plan(message, config, 1).segments[0], "one", now)
                if isinstance(one, Arrived):
                    talk.acknowledge(one.token, now)
        else:
            said = said or talk.data_to_send()
            if not said:
                now += 30
                talk.tick(now)
                said = talk.data_to_send()
            assert said.startswith(wrapped(text))
            said = said.removeprefix(wrapped(text))
    assert not said
    accepted = next(one for one in told if isinstance(one, Accepted))
    receipt, mo = (one.events[0] for one in told if isinstance(one, Arrived))
    assert isinstance(receipt, ReceiptEvent)
    assert isinstance(mo, MoEvent)
    assert receipt.update.external_id == accepted.external_id
    assert mo.message.text == "STOP"
