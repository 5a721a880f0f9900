"""What a phone sends in binary, and long messages that the SMSC has cut anywhere: from the simulated SMSC to the
platform's queue."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from chalicelib import queues, recording
from chalicelib.messages import Outgoing
from smsc_relay.accounts import kind_of
from smsc_relay.simulator import Simulator
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, protocol, simulator  # noqa: F401 - a fixture

PHONE, SHORT = "+250788000001", "8080"
PORTS = "05040B8423F0"  # WAP push: to 2948 from 9200
PUSH = bytes.fromhex("01060401AE02056A0045C60C03") + b"push.example.org\x00\x08\x01\x03Ubuntu\x00\x01\x01"
SMPP = PROTOCOLS[0]


async def told(world: World, smsc: Simulator, *messages: dict[str, Any]) -> list[dict[str, str]]:
    """The fields of the platform's calls for what phones send while a relay runs."""
    async with relaying(kinds=kind_of):
        await smsc.wait_for(lambda smsc: bool(smsc.sessions))
        sent = [smsc.inject(**{"from": PHONE, "to": SHORT, **message}) for message in messages]
        await eventually(lambda: all(one.state == "acknowledged" for one in sent))
    while world.aws.depth(queues.EVENTS):
        assert world.aws.run(queues.EVENTS, recording.record) == []
    return [body["fields"] for body in world.aws.bodies("deliver-main.fifo")]


async def test_a_wap_push(world: World, protocol: Protocol) -> None:  # noqa: F811 - the fixture
    async with simulator() as smsc:
        protocol.account(world, smsc)
        (fields,) = await told(world, smsc, {"octets": PUSH.hex(), "udh": PORTS})
    assert base64.b64decode(fields["data"]) == PUSH
    assert (fields["udh"], fields["data_coding"], fields["from"]) == (f"06{PORTS}", "4", PHONE)


async def test_a_long_binary_message(world: World, protocol: Protocol) -> None:  # noqa: F811
    octets = random.Random(7).randbytes(700)
    async with simulator() as smsc:
        protocol.account(world, smsc)
        parts = [3, 1, 6, 2, 5, 4]
        (fields,) = await told(world, smsc, {"octets": octets.hex(), "udh": PORTS, "parts": parts})
    assert base64.b64decode(fields["data"]) == octets
    assert (fields["udh"], fields["data_coding"]) == (f"06{PORTS}", "4")


async def test_long_texts_are_texts(world: World, protocol: Protocol) -> None:  # noqa: F811
    texts = ["Love is {patient}. " * 20, "Şefkat 😀 " * 20]
    async with simulator() as smsc:
        protocol.account(world, smsc)
        found = await told(world, smsc, *({"text": text, "parts": [2, 1, 3]} for text in texts))
    assert [fields["text"] for fields in found] == texts
    assert all(set(fields) == {"from", "text", "date"} for fields in found)


@pytest.mark.parametrize(
    ("octets", "smpp", "account", "text"),
    [
        pytest.param("😀".encode("utf-16-be") * 70, {"data_coding": 8}, {}, "😀" * 70, id="surrogate pairs"),
        pytest.param("Aß".encode() * 60, {"data_coding": 0}, {"alphabet": "utf-8"}, "Aß" * 60, id="UTF-8"),
        pytest.param(b"abc" + b"\x1b\x65" * 130, {"data_coding": 0}, {}, "abc" + "€" * 130, id="escapes"),
        pytest.param(b"a" + "表".encode("shift_jis") * 100, {"data_coding": 5}, {}, "a" + "表" * 100, id="Shift JIS"),
    ],
)
@pytest.mark.parametrize("long", ["udh8", "udh16", "sar"])
async def test_an_smsc_that_cuts_between_octets(
    world: World, long: str, octets: bytes, smpp: dict[str, Any], account: dict[str, Any], text: str
) -> None:
    """By 134 octets, or by 133: in the middle of a UTF-16 unit too."""
    async with simulator() as smsc:
        SMPP.account(world, smsc, **account)
        (fields,) = await told(world, smsc, {"octets": octets.hex(), "smpp": smpp, "long": long})
    assert fields["text"] == text
    assert "data" not in fields


@pytest.mark.parametrize("via", ["deliver_sm", "data_sm"])
async def test_ports_that_smpp_has_in_tlvs(world: World, via: str) -> None:
    tlvs = [
        {"tag": 0x020B, "type": "integer", "length": 2, "value": 2948},
        {"tag": 0x020A, "type": "integer", "length": 2, "value": 9200},
    ]
    async with simulator() as smsc:
        SMPP.account(world, smsc)
        smpp = {"data_coding": 0xF5, "tlvs": tlvs, "via": via}
        (fields,) = await told(world, smsc, {"octets": PUSH.hex(), "smpp": smpp})
    assert base64.b64decode(fields["data"]) == PUSH
    assert (fields["udh"], fields["data_coding"]) == (f"06{PORTS}", "245")


# --- to a phone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [PUSH, PUSH * 8], ids=["one", "in parts"])
@pytest.mark.parametrize("long", ["udh8", "udh16", "sar"])
async def test_a_wap_push_to_a_phone(world: World, long: str, octets: bytes) -> None:
    record, queue = world.record(1)
    word = record.message.model_dump(by_alias=True) | {
        "text": "",
        "data": base64.b64encode(octets).decode(),
        "udh": f"06{PORTS}",
    }
    queues.send(queue, queues.lane_entry(record.model_copy(update={"message": Outgoing.model_validate(word)})))
    async with simulator() as smsc:
        SMPP.account(world, smsc, long_messages=long)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda it: bool(it.messages) and it.messages[0].complete, 20)
    (message,) = smsc.messages
    assert message.octets == octets
    assert all(bytes.fromhex(PORTS) in segment.elements for segment in message.segments)
    assert {segment.details()["data_coding"] for segment in message.segments} == {4}


async def test_a_flash_to_a_phone(world: World) -> None:
    async with simulator() as smsc:
        SMPP.account(world, smsc, message_class=0)
        world.put(1, text="Flood: leave now")
        async with relaying(kinds=kind_of):
            await smsc.wait_for(lambda it: bool(it.messages), 20)
    (message,) = smsc.messages
    assert (message.text, message.first.details()["data_coding"]) == ("Flood: leave now", 0x10)
