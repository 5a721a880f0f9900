"""The control port, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.pdus import GenericNack, Outbind, Unbind
from tests.simulator.clients import PHONE, SHORT, Raw, behaviour, raw, submit

ACCOUNT = {"accounts": {"ilha": {"password": "secret"}}}


@dataclass
class Http:
    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        async with self.session.get(self.url + path, params=query) as answer:
            assert answer.status == status
            return await answer.json()

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        async with self.session.post(self.url + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()


@asynccontextmanager
async def running(script: dict[str, Any] | None = None) -> AsyncIterator[tuple[Simulator, Http]]:
    async with Simulator(script) as smsc, aiohttp.ClientSession() as session:
        yield smsc, Http(session, f"http://127.0.0.1:{smsc.control_port}")


async def test_messages_and_their_filters() -> None:
    async with running() as (smsc, http), raw(smsc) as esme:
        for to, text in ((PHONE, b"Love"), (PHONE, b"Hope"), ("250788000000", b"Faith")):
            await esme.ask(submit(to, text))
        await esme.ask(submit(text=b"\x05\x00\x03\x2a\x02\x01Half", esm_class=0x40))
        everything = (await http.get("/messages"))["messages"]
        assert [one["text"] for one in everything] == ["Love", "Hope", "Faith", "Half"]
        assert everything[0]["from"] == SHORT
        assert everything[0]["segments"][0]["esm_class"] == 0
        ids = [one["segments"][0]["id"] for one in everything]
        at = everything[0]["at"]
        for query, numbers in (
            ({"to": PHONE}, [1, 2, 4]),
            ({"from": "9090"}, []),
            ({"account": "ilha"}, [1, 2, 3, 4]),
            ({"text": "op"}, [2]),
            ({"id": ids[2]}, [3]),
            ({"after": 2}, [3, 4]),
            ({"since": at}, [1, 2, 3, 4]),
            ({"since": at + 3_600_000}, []),
            ({"complete": "false"}, [4]),
            ({"complete": "true", "to": PHONE}, [1, 2]),
        ):
            found = await http.get("/messages", **query)
            assert [one["number"] for one in found["messages"]] == numbers, query
            assert found["count"] == len(numbers)
        found = await http.get("/messages", limit=1)
        assert (found["count"], [one["number"] for one in found["messages"]]) == (4, [4])


async def test_waiting_for_messages() -> None:
    async with running(behaviour(network={"delay": 0.05})) as (smsc, http), raw(smsc) as esme:
        await esme.ask(submit())
        assert (await http.get("/messages"))["count"] == 0
        assert (await http.get("/messages", count=1, wait=10))["count"] == 1


async def test_submits_and_what_became_of_them() -> None:
    async with running(behaviour(receipts={"delay": 0})) as (smsc, http), raw(smsc) as esme:
        await esme.ask(submit("250788120105", registered_delivery=1))
        (told,) = (await http.get("/submits", state="UNDELIV", count=1, wait=10))["submits"]
        assert (told["to"], told["text"], told["registered_delivery"]) == ("250788120105", "Love is patient.", 1)
        assert [one["state"] for one in told["receipts"]] == ["UNDELIV"]
        assert (await http.get("/messages"))["count"] == 0


async def test_mo() -> None:
    async with running() as (smsc, http), raw(smsc) as esme:
        told = await http.post("/mo", {"from": PHONE, "to": SHORT, "text": "STOP"}, 202)
        assert (told["number"], told["account"], told["state"]) == (1, "ilha", "sent")
        await esme.delivered()
        (sent,) = (await http.get("/mo", state="acknowledged", count=1, wait=10))["mos"]
        assert (sent["number"], sent["parts"][0]["delivery"]) == (1, "acknowledged")
        many = [{"from": PHONE, "to": SHORT, "text": text} for text in "ab"]
        assert [one["number"] for one in await http.post("/mo", many, 202)] == [2, 3]
        assert [(await esme.delivered()).short_message for _ in range(2)] == [b"a", b"b"]


async def test_a_list_of_mos_is_sent_as_a_whole_or_not() -> None:
    async with running() as (smsc, http):
        many = [{"from": PHONE, "to": SHORT, "text": "a"}, {"from": PHONE, "to": SHORT, "text": "b", "account": ""}]
        await http.post("/script", ACCOUNT)
        await http.post("/mo", many, 404)
        assert smsc.mos == []


async def test_sessions_and_disconnect() -> None:
    async with running() as (smsc, http), raw(smsc) as first, raw(smsc) as second:
        sessions = (await http.get("/sessions", count=2, wait=10))["sessions"]
        assert [(one["account"], one["state"], one["version"]) for one in sessions] == [
            ("ilha", "bound_trx", "0x34")
        ] * 2
        number = sessions[0]["session"]
        assert await http.post("/disconnect", {"session": number, "how": "close"}) == {"sessions": [number]}
        assert await first.ended()
        assert await http.post("/disconnect") == {"sessions": [sessions[1]["session"]]}
        assert isinstance((await second.read()).pdu, Unbind)


async def test_a_restart_loses_connections_and_no_messages() -> None:
    async with running() as (smsc, http):
        port = smsc.smpp_port
        for number in (1, 2):
            async with raw(smsc) as client:
                await client.ask(submit())
                if number == 1:
                    assert await http.post("/restart", {"down": 0.05}) == {"down": 0.05}
                    assert await client.ended()
        assert smsc.smpp_port == port
        assert len(smsc.messages) == 2
        await http.post("/restart", {"down": -1}, 400)


async def test_outbind() -> None:
    called: asyncio.Queue[Raw] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: called.put_nowait(Raw(r, w)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(ACCOUNT) as (_, http):
        await http.post("/outbind", {"account": "ilha", "port": port, "password": "wave"}, 202)
        esme = await called.get()
        asked = (await esme.read()).pdu
        assert isinstance(asked, Outbind)
        assert asked.password == "wave"
        esme.close()


async def test_frame() -> None:
    async with running() as (smsc, http), raw(smsc) as esme:
        number = smsc.sessions[0]["session"]
        await http.post("/frame", {"session": number, "hex": "00000010800000000000000800000000"}, 202)
        assert isinstance((await esme.read()).pdu, GenericNack)


async def test_script_changes_while_running_and_reset_takes_it_back() -> None:
    async with running(ACCOUNT) as (smsc, http), raw(smsc) as esme:
        assert (await http.get("/script"))["behaviour"]["answers"]["burst"] is None
        shown = await http.post("/script", {"destinations": {"7": {"status": "RSYSERR"}}})
        assert shown["destinations"]["7"]["status"] == Status.ESME_RSYSERR
        assert (await esme.ask(submit("2507887"))).status == Status.ESME_RSYSERR
        await http.post("/script", {"accounts": {"ilha": {"behaviour": {"ids": {"answer": "none"}}}}})
        assert (await esme.ask(submit())).pdu.message_id == ""  # type: ignore[attr-defined]
        await http.post("/reset")
        assert (await esme.ask(submit("2507887"))).pdu.message_id != ""  # type: ignore[attr-defined]
        assert (await http.get("/messages"))["count"] == 1


async def test_reset_forgets_what_waits_and_what_is_in_flight() -> None:
    async with running() as (smsc, http), raw(smsc) as other:
        async with raw(smsc) as esme:
            for text in "ab":
                smsc.inject(source=PHONE, to=SHORT, text=text)
            await other.delivered(answer=False)
            await esme.delivered(answer=False)
            await esme.ask(submit("250788129999"))
            await http.post("/reset")
            assert (smsc.messages, smsc.submits, smsc.mos, len(smsc.sessions)) == ([], [], [], 2)
        await smsc.wait_for(lambda it: len(it.sessions) == 1)
        smsc.inject(source=PHONE, to=SHORT, text="c")
        assert (await other.delivered()).short_message == b"c"


async def test_index() -> None:
    async with running() as (_, http):
        assert "POST /mo" in (await http.get("/"))["routes"]


async def test_stats() -> None:
    async with running() as (smsc, http), raw(smsc) as esme:
        await esme.ask(submit())
        await esme.ask(submit("250788120011"))
        told = (await http.get("/stats"))["ilha"]
        assert (told["submits"], told["accepted"], told["refused.ESME_RINVDSTADR"]) == (2, 1, 1)


async def test_passwords_are_not_shown() -> None:
    script = {"accounts": {"ilha": {"password": "secret", "outbind": {"port": 1, "password": "wave"}}}}
    async with running(script) as (_, http):
        told = str(await http.get("/script"))
        assert "secret" not in told
        assert "wave" not in told


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        pytest.param("GET", "/nothing", None, 404, "Not Found", id="no such path"),
        pytest.param("GET", "/messages?colour=red", None, 400, "unknown parameter colour", id="unknown parameter"),
        pytest.param("GET", "/messages?since=now", None, 400, "since must be a whole number", id="not a number"),
        pytest.param("GET", "/messages?complete=1", None, 400, "true, false", id="not a choice"),
        pytest.param("POST", "/mo", {"to": SHORT}, 400, "from: Field required", id="no sender"),
        pytest.param("POST", "/mo", {"from": "1", "to": "2", "text": "x", "account": "nobody"}, 404, "'nobody'",
                     id="no such account"),
        pytest.param("POST", "/mo", "text", 400, "object", id="no object"),
        pytest.param("POST", "/disconnect", {"session": 99}, 404, "no session 99", id="no such session"),
        pytest.param("POST", "/disconnect", {"session": "1"}, 400, "session must be a whole number", id="session"),
        pytest.param("POST", "/disconnect", {"how": "gently"}, 400, "unbind, close, reset", id="how"),
        pytest.param("POST", "/disconnect", {"all": True}, 400, "all: unknown key", id="unknown key"),
        pytest.param("POST", "/frame", {"session": 1, "hex": "0g"}, 400, "hex", id="not hex"),
        pytest.param("POST", "/frame", {"session": 99, "hex": "00"}, 404, "no session 99", id="frame, no session"),
        pytest.param("POST", "/outbind", {"account": "nobody", "port": 1}, 404, "nobody", id="outbind, no account"),
        pytest.param("POST", "/outbind", {"account": "ilha"}, 400, "port", id="outbind, no port"),
        pytest.param("POST", "/script", {"behaviour": {"answers": {"delay": -1}}}, 400,
                     "behaviour.answers.delay: must not be negative", id="bad script"),
        pytest.param("POST", "/script", [], 400, "a part of a script", id="no mapping"),
    ],
)  # fmt: skip
async def test_errors(method: str, path: str, body: Any, status: int, error: str) -> None:
    async with running(ACCOUNT) as (_, http), http.session.request(method, http.url + path, json=body) as answer:
        assert answer.status == status
        assert error in (await answer.json())["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"{}", "text/plain", 415, id="what a foreign page can send"),
        pytest.param(b"{", "application/json", 400, id="not JSON"),
        pytest.param(b"\xff", "application/json", 400, id="not UTF-8"),
        pytest.param(b"", "application/json", 400, id="nothing"),
    ],
)
async def test_bodies(body: bytes, kind: str, status: int) -> None:
    async with running() as (_, http):
        headers = {"Content-Type": kind}
        async with http.session.post(http.url + "/script", data=body, headers=headers) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]
