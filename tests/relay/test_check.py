"""The check of an SMSC account against simulated SMSCs: every step fails in turn, over each of the three protocols."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import queues, registry, registry_store
from chalicelib.settings import settings
from smsc_relay.check import Check
from smsc_relay.check_steps import KEEPALIVE, Step, Wishes
from smsc_relay.simulator.simulator import Simulator
from tests.support import CHANNEL, Aws

PHONE = "+250788123123"
KINDS = ("SMPP", "UCP", "CIMD2")
SEND = Wishes(to=PHONE, burst=3, wait_receipt=10)
NAMES = {"SMPP": "system_id", "UCP": "username", "CIMD2": "username"}
FULL = ["configuration", "route", "TCP", "TLS", "bind", KEEPALIVE, "window", "test MT", "its receipt", "test MO",
        "logout"]  # fmt: skip


def port_of(smsc: Simulator, kind: str) -> int:
    return {"SMPP": smsc.smpp_port, "UCP": smsc.ucp_port, "CIMD2": smsc.cimd2_port}[kind]


def register(aws: Aws, kind: str, port: int, *, secrets: Mapping[str, str] | None = None, **config: Any) -> None:
    """The account `fast`, with a channel; `secrets` None: its password."""
    given = {"host": "127.0.0.1", "port": port, NAMES[kind]: "ilha", "window": 5, "response_timeout": 1, **config}
    given |= {"login_timeout": config.get("login_timeout", 1), "connect_timeout": 2}
    hidden = {"password": "hunter2"} if secrets is None else dict(secrets)
    aws.aggregator("fast", kind, config=given, secrets=hidden, version=time.time_ns() // 1_000_000)
    aws.channel(CHANNEL, type=kind)
    registry.reset()


async def taken(wishes: Wishes = SEND, **options: Any) -> list[Step]:
    """The steps of a check, without those that are waited for."""
    steps: list[Step] = []
    well = await Check("fast", wishes, steps.append, **options).run()
    found = [step for step in steps if step.state != "waiting"]
    assert well is (found[-1].state != "failed")
    assert all(step.state != "failed" for step in found[:-1])
    assert "788123123" not in repr(steps)
    assert "hunter2" not in repr(steps)
    return found


def states(steps: list[Step]) -> dict[str, str]:
    return {step.name: step.state for step in steps}


# --- all is well ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_all_steps(aws: Aws, kind: str) -> None:
    """An MO that comes over the check's connection goes to the platform as any other."""
    script = {"accounts": {"ilha": {"password": "hunter2", "window": 5, "addresses": ["8080"]}}}
    async with Simulator(script) as smsc:
        register(aws, kind, port_of(smsc, kind))
        running = asyncio.create_task(taken(Wishes(to=PHONE, burst=3, wait_receipt=10, wait_mo=20)))
        await smsc.wait_for(lambda one: len(one.messages) == 4)
        smsc.inject(source="250788123124", to="8080", text="ok")
        steps = await running
        await smsc.wait_for(lambda one: one.mos[0].state == "acknowledged")
    assert [step.name for step in steps] == FULL
    assert states(steps) == {name: "skipped" if name == "TLS" else "ok" for name in FULL}
    (event,) = [body["event"] for body in aws.bodies(queues.EVENTS)]
    assert (event["kind"], event["message"]["text"]) == ("incoming", "ok")


async def test_a_bind_of_two_connections(aws: Aws) -> None:
    async with Simulator({"accounts": {"ilha": {"password": "hunter2"}}}) as smsc:
        register(aws, "SMPP", smsc.smpp_port, bind="pair")
        steps = await taken()
    assert states(steps)["bind (receiver)"] == states(steps)["its receipt"] == "ok"


async def test_a_receipt_that_comes_before_the_answer_is_ours(aws: Aws) -> None:
    async with Simulator() as smsc:
        register(aws, "SMPP", smsc.smpp_port)
        steps = await taken(Wishes(to="+250788120109", burst=1, wait_receipt=10))
    assert states(steps)["its receipt"] == "ok"
    assert aws.bodies(queues.EVENTS) == []


async def test_what_is_not_asked_for_is_skipped(aws: Aws) -> None:
    async with Simulator() as smsc:
        register(aws, "SMPP", smsc.smpp_port)
        steps = await taken(Wishes())
    skipped = {step.name: step.detail for step in steps if step.state == "skipped"}
    assert list(skipped) == ["TLS", "window", "test MT", "its receipt", "test MO"]
    assert "--to" in skipped["test MT"]


async def test_what_cannot_be_kept_is_left_to_the_smsc(aws: Aws) -> None:
    """Without events.fifo an MO is declined, and the SMSC gives it again."""
    async with Simulator({"behaviour": {"mo": {"retry": 0.1}}}) as smsc:
        register(aws, "SMPP", smsc.smpp_port)
        clients.sqs().delete_queue(QueueUrl=settings().queue_url(queues.EVENTS))
        running = asyncio.create_task(taken(Wishes(wait_mo=20)))
        await smsc.wait_for(lambda one: bool(one.sessions))
        smsc.inject(source="250788123124", to="8080", text="ok")
        await running
    assert smsc.mos[0].state != "acknowledged"


# --- every step fails in turn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "step", "script", "config", "wishes", "said"),
    [
        pytest.param(kind, step, script, config, wishes, said, id=f"{kind}-{step}-{nth}")
        for kind in KINDS
        for nth, (step, script, config, wishes, said) in enumerate(
            [
                ("route", {}, {"host": "nowhere.invalid"}, SEND, "nowhere.invalid"),
                ("TLS", {}, {"tls": True}, SEND, "no TLS"),
                ("bind", {"behaviour": {"login": {"answer": False}}}, {}, SEND, "not answered"),
                ("bind", {"accounts": {"ilha": {"password": "else"}}}, {}, SEND, "jangada smsc secret"),
                (KEEPALIVE, {"behaviour": {"link": {"answer_enquire_link": False}}}, {}, SEND, "no answer in 1 s"),
                ("window", {"behaviour": {"answers": {"burst": {"after": 1, "length": 5}}}}, {}, SEND, "window"),
                ("window", {"behaviour": {"link": {"close_after": 2}}}, {}, SEND, "connection ended"),
                ("window", {"destinations": {"1": {"answer": False}}}, {}, Wishes(to="+250788123121"), "0 of 5"),
                ("test MT", {}, {}, Wishes(to="+250788120011", burst=1), "recipients"),
                ("test MT", {}, {}, Wishes(to="+250788120099", burst=1), "not answered|0 of 1"),
                ("its receipt", {}, {}, Wishes(to="+250788120100", burst=1, wait_receipt=0.5), "receipts enabled"),
                ("its receipt", {}, {}, Wishes(to="+250788120105", burst=1, wait_receipt=10), "failed"),
                ("test MO", {}, {}, Wishes(wait_mo=0.3), "8080 routed"),
            ]
        )
    ],
)  # fmt: skip
async def test_a_step_fails(
    aws: Aws, kind: str, step: str, script: dict[str, Any], config: dict[str, Any], wishes: Wishes, said: str
) -> None:
    async with Simulator(script) as smsc:
        register(aws, kind, port_of(smsc, kind), **config)
        last = (await taken(wishes))[-1]
    assert (last.name, last.state) == (step, "failed")
    assert any(one in f"{last.detail} {last.ask}" for one in said.split("|"))
    assert last.whom


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_listens(aws: Aws, kind: str, unused_tcp_port: int) -> None:
    register(aws, kind, unused_tcp_port)
    last = (await taken())[-1]
    assert (last.name, last.whom) == ("TCP", "the aggregator")
    assert f"127.0.0.1:{unused_tcp_port} refuses" in last.detail


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("RALYBND", "SMPP", "how many binds"),
        ("RINVSYSID", "SMPP", "system_id"),
        ("RBINDFAIL", "SMPP", "not active yet"),
        ("RINVSYSTYP", "SMPP", "system_type"),
        ("RTHROTTLED", "SMPP", "rate and window"),
        ("0x405", "SMPP", "what does this code mean"),
        ("RALYBND", "CIMD2", "how many sessions"),
        ("RBINDFAIL", "CIMD2", "is the account active"),
        ("104", "CIMD2", "window"),
        ("RSYSERR", "UCP", "inside the SMSC"),
        ("RINVSRCADR", "UCP", "allowed to do this"),
    ],
)
async def test_each_refusal_of_a_login_is_explained(aws: Aws, code: str, kind: str, said: str) -> None:
    status = int(code, 0) if code[0].isdigit() else code
    async with Simulator({"behaviour": {"login": {"status": status}}}) as smsc:
        register(aws, kind, port_of(smsc, kind))
        last = (await taken())[-1]
    assert last.name == "bind"
    assert said in last.ask


async def test_the_running_relay_has_the_only_bind(aws: Aws) -> None:
    lease = {"pk": "lease#fast#1-transceiver", "owner": "another", "version": "1"}
    item: dict[str, Any] = {key: {"S": value} for key, value in lease.items()}
    clients.dynamodb().put_item(
        TableName=settings().table("leases"), Item={**item, "length": {"N": "20.0"}, "pools": {"L": []}}
    )
    async with Simulator({"behaviour": {"login": {"status": "RALYBND"}}}) as smsc:
        register(aws, "SMPP", smsc.smpp_port)
        last = (await taken())[-1]
    assert "our own relay holds 1 of the account's binds" in last.detail
    assert "one more session" in last.ask


async def test_ids_in_receipts_are_of_another_form(aws: Aws) -> None:
    async with Simulator({"behaviour": {"ids": {"answer": "hex", "receipt": "decimal", "first": 4096}}}) as smsc:
        register(aws, "SMPP", smsc.smpp_port)
        last = (await taken(Wishes(to=PHONE, burst=1, wait_receipt=1)))[-1]
    assert last.name == "its receipt"
    assert "hexadecimal" in last.ask


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("nothing", "no account fast"),
        ("http", "type EX"),
        ("no secret", "smsc secret fast"),
        ("bad", "window"),
    ],
)
async def test_the_configuration_fails(aws: Aws, prepare: str, said: str) -> None:
    if prepare == "http":
        aws.aggregator("fast", "EX")
    elif prepare == "no secret":
        account = aws.aggregator("fast", "SMPP", config={"host": "127.0.0.1", "system_id": "ilha"})
        registry_store.put_aggregator(account.model_copy(update={"secrets": ("password",)}))
    elif prepare == "bad":
        register(aws, "SMPP", 9, window=0)
    registry.reset()
    last = (await taken())[-1]
    assert (last.name, last.whom) == ("configuration", "ourselves")
    assert said in f"{last.detail} {last.ask}"


async def test_what_only_aws_can_tell_comes_after_the_configuration(aws: Aws) -> None:
    register(aws, "SMPP", 9)
    steps = await taken(more=[("tunnel", lambda: "both up")])
    assert [step.name for step in steps] == ["configuration", "tunnel", "route", "TCP"]


# --- TLS ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def behind_tls(smsc: Simulator, directory: Path) -> AsyncIterator[tuple[int, str]]:
    """The simulator's SMPP port behind TLS; gives the port and the certificate."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", "/CN=smsc.example.org", "-addext",
         "subjectAltName=DNS:smsc.example.org"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_connection("127.0.0.1", smsc.smpp_port)
        await asyncio.gather(copy(reader, out), copy(inner, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], certificate.read_text()
    finally:
        server.close()


async def test_tls(aws: Aws, tmp_path: Path) -> None:
    async with Simulator() as smsc, behind_tls(smsc, tmp_path) as (port, certificate):
        register(aws, "SMPP", port, tls=True, tls_ca=certificate, tls_server_name="smsc.example.org")
        steps = {step.name: step for step in await taken(Wishes())}
        register(aws, "SMPP", port, tls=True)
        last = (await taken(Wishes()))[-1]
    assert steps["TLS"].detail.startswith("TLSv1")
    assert steps["logout"].state == "ok"
    assert (last.name, last.state) == ("TLS", "failed")
    assert "tls_ca" in last.ask
