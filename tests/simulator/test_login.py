"""Who may log in, how logins are answered, and what comes of a refusal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import smpplib.exceptions

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.constants import Status, Tag
from smsc_relay.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, Pdu
from tests.peers.tee import Tee
from tests.simulator.clients import Lib, Raw, behaviour, lib, raw

ACCOUNT = {"accounts": {"ilha": {"password": "secret"}}}


def account(**settings: Any) -> dict[str, Any]:
    return {"accounts": {"ilha": {"password": "secret", **settings}}}


@pytest.mark.parametrize("kind", ["transceiver", "transmitter", "receiver"])
async def test_smpplib_binds_and_unbinds(kind: str) -> None:
    async with Simulator(ACCOUNT) as smsc, lib(smsc, kind) as esme:
        (session,) = smsc.sessions
        assert session["account"] == "ilha"
        assert session["state"] == {"transceiver": "bound_trx", "transmitter": "bound_tx", "receiver": "bound_rx"}[kind]
        answer = await asyncio.to_thread(esme.client.unbind)
        assert answer.command == "unbind_resp"
        await smsc.wait_for(lambda it: not it.sessions)


async def test_a_wrong_password_is_refused_and_the_connection_closed(tmp_path: Path) -> None:
    async with Simulator(ACCOUNT) as smsc, Tee(smsc.smpp_port) as tee:
        esme = Lib(tee.port)
        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            await esme.connect(password="guess")
        assert refused.value.args[1] == Status.ESME_RINVPASWD
        with pytest.raises(smpplib.exceptions.ConnectionError):
            await asyncio.to_thread(esme.client.read_pdu)
        esme.close()
    assert tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id") == ["0x00000009", "0x80000009"]


@pytest.mark.parametrize(
    ("script", "request_", "status"),
    [
        pytest.param(ACCOUNT, BindTransceiver("nobody", "secret"), Status.ESME_RINVSYSID, id="unknown system_id"),
        pytest.param({**ACCOUNT, "anyone": True}, BindTransceiver("nobody", "x"), 0, id="anyone beside the accounts"),
        pytest.param({"anyone": False}, BindTransceiver("ilha"), Status.ESME_RINVSYSID, id="nobody at all"),
        pytest.param({}, BindTransceiver("whoever", "whatever"), 0, id="no accounts: anybody"),
        pytest.param(ACCOUNT, BindReceiver("ilha", ""), Status.ESME_RINVPASWD, id="no password"),
        pytest.param(
            account(binds=["transmitter", "receiver"]),
            BindTransceiver("ilha", "secret"),
            Status.ESME_RBINDFAIL,
            id="bind type not allowed",
        ),
        pytest.param(
            account(binds=["transmitter", "receiver"]), BindTransmitter("ilha", "secret"), 0, id="bind type allowed"
        ),
        pytest.param(
            account(system_type="VMA"),
            BindTransceiver("ilha", "secret", "SMPP"),
            Status.ESME_RINVSYSTYP,
            id="system_type",
        ),
        pytest.param(account(system_type="VMA"), BindTransceiver("ilha", "secret", "VMA"), 0, id="right system_type"),
        pytest.param(
            behaviour(login={"status": "RBINDFAIL"}), BindTransceiver("ilha"), Status.ESME_RBINDFAIL, id="scripted"
        ),
        pytest.param(behaviour(login={"delay": 0.01}), BindTransceiver("ilha"), 0, id="late"),
    ],
)
async def test_bind(script: dict[str, Any], request_: Pdu, status: int) -> None:
    async with Simulator(script) as smsc:
        esme = await Raw.connect(smsc)
        answer = await esme.bind(request_)
        assert answer.status == status
        assert answer.pdu.command_id == request_.command_id | 0x80000000
        assert len(smsc.sessions) == (status == 0)
        if status:
            assert await esme.ended()
        esme.close()


async def test_max_binds_counts_sessions_that_are_there() -> None:
    async with Simulator(account(max_binds=1, over_binds="RBINDFAIL")) as smsc:
        async with raw(smsc):
            second = await Raw.connect(smsc)
            assert (await second.bind()).status == Status.ESME_RBINDFAIL
            second.close()
        await smsc.wait_for(lambda it: not it.sessions)
        async with raw(smsc):
            assert len(smsc.sessions) == 1


async def test_refusals_of_the_first_logins_only() -> None:
    async with Simulator(behaviour(login={"status": "RALYBND", "times": 2})) as smsc:
        statuses = []
        for _ in range(3):
            esme = await Raw.connect(smsc)
            statuses.append((await esme.bind()).status)
            esme.close()
        assert statuses == [Status.ESME_RALYBND, Status.ESME_RALYBND, Status.ESME_ROK]


async def test_a_login_without_an_answer_ends_with_the_login_timeout() -> None:
    async with Simulator({"login_timeout": 0.05, **behaviour(login={"answer": False})}) as smsc:
        esme = await Raw.connect(smsc)
        esme.send(BindTransceiver("ilha"))
        assert await esme.ended()
        esme.close()


@pytest.mark.parametrize(
    ("login", "version", "announced"),
    [
        pytest.param({}, 0x34, b"\x34", id="3.4"),
        pytest.param({"version": 50}, 0x34, b"\x50", id="5.0"),
        pytest.param({"version": 0}, 0x34, b"\x00", id="0x00, as some say"),
        pytest.param({"version": None}, 0x34, None, id="not said"),
        pytest.param({}, 0x33, None, id="a client of 3.3 knows no TLVs"),
        pytest.param({"version": None, "tlvs": [{"tag": "0x0210", "type": "octets", "value": ""}]}, 0x34, b"",
                     id="empty"),
    ],
)  # fmt: skip
async def test_the_version_announced(login: dict[str, Any], version: int, announced: bytes | None) -> None:
    async with Simulator(behaviour(login={"smsc": "Praia", **login})) as smsc:
        esme = await Raw.connect(smsc)
        answer = await esme.bind(BindTransceiver("ilha", interface_version=version))
        assert answer.pdu.tlv(Tag.SC_INTERFACE_VERSION) == announced
        assert answer.pdu.system_id == "Praia"  # type: ignore[attr-defined]
        esme.close()
