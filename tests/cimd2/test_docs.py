"""docs/smsc/cimd2.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.messages import Outgoing, Status
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import ERRORS, ErrorClass
from smsc_relay.cimd2.dialect import DIALECT
from smsc_relay.cimd2.receipts import STATES
from smsc_relay.protocol import Accepted, Arrived, Ended, Ready, Role, Surroundings
from tests.cimd2.frames import octets, shown

TEXT = (Path(__file__).parent.parent.parent / "docs" / "smsc" / "cimd2.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line[:1] == "|"]
FRAMES = re.findall(r"^(->|<-) (<STX>.*<ETX>)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("key", Cimd2Config.model_fields)
def test_every_key_with_its_default_and_meaning(key: str) -> None:
    info = Cimd2Config.model_fields[key]
    value: Any = info.default
    shown_value = f"`{str(value).lower() if isinstance(value, bool) else value}`"
    default = "needed" if info.is_required() else "" if value is None or value in ("", (), {}) else shown_value
    assert [row[2] for row in ROWS if row[:2] == [f"`{key}`", default]] == [info.description]


def test_quirks_and_kannels_settings_name_keys_that_exist() -> None:
    keys = {f"`{key}`" for key in Cimd2Config.model_fields}
    tables = [row for row in ROWS if row[0] not in keys]
    named = {key for row in tables for key in re.findall(r"`([a-z][a-z0-9_]*)(?::[^`]*)?`", row[-1])}
    assert len(named) > 30
    assert named <= set(Cimd2Config.model_fields)
    for row in tables:
        for key, value in re.findall(r"`([a-z0-9_]+): ([^`]*)`", row[-1]):
            Cimd2Config.read({"host": "smsc", "username": "a", "password": "b", key: yaml.safe_load(value)})


def _numbers(cell: str) -> set[int]:
    found = {int(number) for number in re.findall(r"\b\d+\b", cell)}
    for first, last in re.findall(r"(\d+) to (\d+)", cell):
        found |= set(range(int(first), int(last) + 1))
    return found


def test_the_tables_of_codes() -> None:
    classes = {row[1].partition(":")[0]: _numbers(row[0]) for row in ROWS if len(row) == 2}
    for name, kind in (("temporary", ErrorClass.TEMPORARY), ("too fast", ErrorClass.THROTTLED),
                       ("the session's", ErrorClass.SESSION), ("the account's", ErrorClass.ACCOUNT)):  # fmt: skip
        assert classes[name] == {code for code, (_, one) in ERRORS.items() if one is kind}
    assert classes["sent"] == {code for code, status in STATES.items() if status is Status.SENT}
    assert classes["delivered"] == {4}


def test_the_sample_is_a_config() -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    found = yaml.safe_load(sample.replace("!secret", "secret"))
    assert found["type"] == DIALECT.name
    Cimd2Config.read(found["config"])


def test_the_worked_exchange() -> None:
    """What the SMSC says in it makes us say what we say in it."""
    config = Cimd2Config.read(
        {"host": "smsc", "username": "ilha", "password": "secret", "window": 10, "validity": 86_400}
    )  # fmt: skip
    talk = DIALECT.conversation(config, Role.TRANSCEIVER, 0, Surroundings("a", lambda: 0, lambda: "id"))
    message = Outgoing.model_validate(
        {"id": 1, "text": "Murakoze {€}", "to": "+250788123123", "from": "8080", "channel": 1}
    )  # fmt: skip
    told: list[Any] = []
    now = 0.0
    talk.start(now)
    talk.receive_data(b"CIMD2-A ConnectionInfo: SessionId = 1\n", now)
    for who, frame in FRAMES:
        if who == "<-":
            new = [*talk.receive_data(octets(frame), now), *talk.catch_up(now)]
            told += new
            for one in new:
                if isinstance(one, Ready):
                    talk.submit(DIALECT.plan(message, config, 1).segments[0], "one", now)
                if isinstance(one, Arrived):
                    talk.acknowledge(one.token, now)
            continue
        if frame.startswith("<STX>40:"):
            now += config.keepalive
            talk.tick(now)
        if frame.startswith("<STX>02:"):
            talk.leave(now)
        assert shown(talk.data_to_send()) == frame
    (accepted,) = [one for one in told if isinstance(one, Accepted)]
    receipt, mo = (one.events[0] for one in told if isinstance(one, Arrived))
    assert isinstance(receipt, ReceiptEvent)
    assert isinstance(mo, MoEvent)
    assert f"`{accepted.external_id}`" in TEXT
    assert receipt.update.external_id == accepted.external_id
    assert mo.message.text == "STOP"
    assert told[-1] == Ended("logged out")
