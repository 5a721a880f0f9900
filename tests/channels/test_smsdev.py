"""SMSDev: https://www.smsdev.com.br/docs/"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import MESSAGE, Json, Sample, make, mo, offer, request, told, without

GOOD = {"situacao": "OK", "codigo": "1", "id": "637849053", "descricao": "MENSAGEM NA FILA"}
SAMPLE = Sample(
    code="SDV",
    config={"api_key": "k-1&23"},
    url="https://api.smsdev.com.br/v1/send",
    answer=(200, GOOD),
    external_id="637849053",
)
MO = {"from": "5511988880000", "id": "123456790", "id_sent": "637849053", "message": "SIM", "refer": "8812"}
REPORT = {"id": "637849053", "refer": "", "situacao": "RECEBIDA", "data_envio": "02052024145322",
          "operadora": "VIVO-PORTABILIDADE", "qtd_credito": "1"}  # fmt: skip
KNOWN = {"external_id": "123456790"}


def ask(action: str, data: dict[str, Any], way: str, query: str = "") -> Request:
    if way == "get":
        return request("SDV", action, method="GET", query=f"{urlencode(data)}&{query}")
    return request("SDV", action, Json(data) if way == "json" else data, query=query)


WAYS = pytest.mark.parametrize("way", ["json", "form", "get"])


@WAYS
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(MO, mo("+5511988880000", "SIM", **KNOWN), id="as-documented"),
        pytest.param({"from": "5511988880000", "id": 123456790, "message": "SIM"}, mo("+5511988880000", "SIM", **KNOWN),
                     id="least"),
        pytest.param({**MO, "from": "11988880000"}, mo("+5511988880000", "SIM", **KNOWN), id="without-country-code"),
        pytest.param({**MO, "message": "Não 😀\x00"}, mo("+5511988880000", "Não 😀", **KNOWN), id="unicode"),
        pytest.param({**MO, "message": ""}, mo("+5511988880000", "", **KNOWN), id="empty-text"),
    ],
)  # fmt: skip
def test_messages(way: str, data: dict[str, Any], expected: Incoming) -> None:
    reply = make("SDV").receive(ask("receive", data, way))
    assert (reply.status, reply.events) == (200, (expected,))


@WAYS
@pytest.mark.parametrize(
    ("action", "data", "why"),
    [
        *[pytest.param("receive", without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("from", "id", "message")],
        pytest.param("receive", {**MO, "from": "Vivo"}, "not a possible number", id="alphanumeric"),
        pytest.param("status", without(REPORT, "situacao"), "field 'situacao' required", id="no-status"),
        pytest.param("status", without(REPORT, "id"), "external id", id="no-id"),
    ],
)  # fmt: skip
def test_refused(way: str, action: str, data: dict[str, Any], why: str) -> None:
    reply = make("SDV").receive(ask(action, data, way))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@WAYS
@pytest.mark.parametrize(
    ("raw", "expected"),
    [("RECEBIDA", ["delivered"]), ("recebida", ["delivered"]), ("ENVIADA", ["sent"]), ("FILA", []),
     ("ERRO", ["failed"]), ("CANCELADA", ["failed"]), ("BLACK LIST", ["failed"]), ("OUTRA", [])],
)  # fmt: skip
def test_statuses(way: str, raw: str, expected: list[str]) -> None:
    reply = make("SDV").receive(ask("status", {**REPORT, "situacao": raw}, way))
    assert (reply.status, told(reply)) == (200, expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(REPORT, ("", None, "637849053"), id="by-their-id"),
        pytest.param({**REPORT, "refer": "8812.2"}, ("8812", 1, "637849053"), id="by-ours"),
        pytest.param({**without(REPORT, "id"), "refer": MESSAGE}, (MESSAGE, 0, ""), id="by-ours-alone"),
        pytest.param({**REPORT, "refer": "8812~2"}, ("", None, "637849053"), id="resent-by-theirs"),
    ],
)
def test_what_a_report_is_of(data: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (update,) = make("SDV").receive(ask("status", data, "json")).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.external_id) == expected


@pytest.mark.parametrize(("date", "expected"), [("02052024145322", 1_714_672_402_000), ("soon", None), ("", None)])
def test_dates(date: str, expected: int | None) -> None:
    (update,) = make("SDV").receive(ask("status", {**REPORT, "data_envio": date}, "json")).events
    assert isinstance(update, StatusUpdate)
    assert update.at == expected


@WAYS
def test_the_token_stands_in_for_a_signature(way: str) -> None:
    channel = make("SDV", secret="s3")
    for query, status in (("token=s3", 200), ("token=s4", 401), ("", 401)):
        assert channel.receive(ask("receive", MO, way, query)).status == status


def test_request() -> None:
    done = offer("SDV", to="+5511988880000", text="Olá ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "key": "k-1&23", "type": 9, "number": 5511988880000, "msg": "Olá ✓\nhttps://x.org/a.jpg", "refer": MESSAGE,
    }  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/json"


def test_each_part_has_a_reference_of_its_own() -> None:
    done = offer("SDV", id=8812, text="x" * 170)
    assert [json.loads(call.body)["refer"] for call in done.calls] == ["8812", "8812.2"]
    assert len(json.loads(offer("SDV", id="x" * 128).request.body)["refer"]) == 100


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, [GOOD]), Accepted("637849053"), None, id="array"),
        pytest.param((200, {**GOOD, "id": 637849053}), Accepted("637849053"), None, id="id-as-a-number"),
        pytest.param((200, {"situacao": "OK"}), Accepted(""), None, id="no-id"),
        *[pytest.param((200, {"situacao": "ERRO", "codigo": code}), ChannelDown, code, id=code)
          for code in ("403", "408", "414")],
        pytest.param((200, [{"situacao": "ERRO", "codigo": 407}]), Permanent, "407", id="bad-number"),
        pytest.param((200, []), Permanent, "", id="nothing"),
        pytest.param((400, {"situacao": "ERRO", "codigo": "403"}), ChannelDown, "403", id="code-and-status"),
        pytest.param((500, {"situacao": "ERRO", "codigo": "403"}), Temporary, "500", id="their-trouble"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted], code: str | None) -> None:
    outcome = offer("SDV", answer).outcome
    assert outcome == expected or type(outcome) is expected
    assert getattr(outcome, "code", None) == code
