"""What the types make of callbacks: label, request, answer, events."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import channels
from chalicelib.channels.base import MethodNotAllowed, NoRoute, Request
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from tests.channels.support import MESSAGE, UUID, Json, make, request

AT = {"id": "a1", "from": "+254700111222", "to": "20990", "text": "Join now", "date": "2026-03-01T10:11:12Z"}
IB = {"messageId": "7713300918", "from": "254700111222", "to": "40404", "text": "JOIN now",
      "receivedAt": "2024-06-11T08:15:02.120+0000"}  # fmt: skip
KN = "backend=m&sender=%2B256772112233&message=Yego&ts=1718093702&id=4f0e&to=8500"
T = {"MessageSid": "SM1", "AccountSid": "AC1", "From": "+12065550142", "To": "+12065550199", "Body": "Look",
     "FromCountry": "US", "NumMedia": "0"}  # fmt: skip


def ib(*items: dict[str, Any]) -> Json:
    return Json({"results": list(items), "messageCount": len(items)})


def signed(data: dict[str, str], action: str, query: str = "") -> Request:
    """A Twilio request with its signature."""
    plain = request("T", action, data, query=query)
    text = plain.url + "".join(name + data[name] for name in sorted(data))
    value = hmac_of("t0k3n-example", text.encode(), algorithm="sha1", encoding="base64")
    return request("T", action, data, query=query, headers={"X-Twilio-Signature": value})


def mo(sender: str, text: str, **fields: Any) -> Incoming:
    return Incoming(channel=UUID, sender=sender, text=text, **fields)


ACCEPTED = [
    pytest.param("AT", request("AT", "receive", AT),
                 mo("+254700111222", "Join now", external_id="a1", received_at=1772359872000), id="at"),
    pytest.param("AT", request("AT", "callback", {**AT, "date": "2026-03-01 10:11:12", "text": ""}),
                 mo("+254700111222", "", external_id="a1", received_at=1772359872000), id="at-empty-text-other-date"),
    pytest.param("AT", request("AT", "receive", {**AT, "from": "40404", "text": "Ünïcode 😀"}),
                 mo("40404", "Ünïcode 😀", external_id="a1", received_at=1772359872000), id="at-short-code-unicode"),
    pytest.param("IB", request("IB", "receive", ib(IB)),
                 mo("+254700111222", "JOIN now", external_id="7713300918", received_at=1718093702120), id="ib"),
    pytest.param("IB", request("IB", "receive", ib({**IB, "message": [
        {"contentType": "text/plain", "value": "look"}, {"contentType": "image/jpeg", "url": "https://x.org/a.jpg"}]})),
                 mo("+254700111222", "look", external_id="7713300918", received_at=1718093702120,
                    attachments=("image/jpeg:https://x.org/a.jpg",)), id="ib-mms"),
    pytest.param("KN", request("KN", "receive", b"Yego", query=KN),
                 mo("+256772112233", "Yego", external_id="4f0e", received_at=1718093702000), id="kn"),
    pytest.param("KN", request("KN", "receive", b"", query=KN.replace("Yego", "%04%14%040%00+"), headers={
        "X-Kannel-Coding": "2", "Content-Type": 'text/plain; charset="UTF-16BE"'}),
                 mo("+256772112233", "Да ", external_id="4f0e", received_at=1718093702000), id="kn-raw-utf16"),
    pytest.param("T", signed(T, "receive"), mo("+12065550142", "Look", external_id="SM1"), id="t"),
    pytest.param("T", signed({**T, "NumMedia": "2", "MediaUrl0": "https://m/1", "MediaUrl1": "https://m/2"}, "receive"),
                 mo("+12065550142", "Look", external_id="SM1", attachments=("https://m/1", "https://m/2")), id="t-mms"),
    pytest.param("T", signed({**T, "Body": base64.b64encode(("plain text " * 8).encode()).decode()}, "receive"),
                 mo("+12065550142", "plain text " * 8, external_id="SM1"), id="t-base64"),
    pytest.param("EX", request("EX", "receive", {"from": "+254700111222", "text": "hi",
                                                 "date": "2026-03-01T10:11:12.5Z"}),
                 mo("+254700111222", "hi", received_at=1772359872500), id="ex"),
    pytest.param("EX", request("EX", "receive", method="GET", query="sender=0700111222&text=h%C3%A9"),
                 mo("+254700111222", "hé"), id="ex-get"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "asked", "expected"), ACCEPTED)
def test_messages(code: str, asked: Request, expected: Incoming) -> None:
    reply = make(code).receive(asked)
    assert reply.events == (expected,)
    assert reply.status == 200
    assert reply.ids == ("ev-1",)
    if code == "T":
        assert reply.body == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
    else:
        assert reply.body.startswith(
            b'{"message":"Message Accepted","data":[{"type":"msg","channel_uuid":"' + UUID.encode()
        )
        assert reply.body.endswith(b"}]}\n")


def test_external_reads_xml_and_its_own_field_names_and_answers_as_told() -> None:
    by_xpath = make("EX", from_xpath="//req/msisdn", text_xpath="//req/sms")
    body = b"<req><msisdn>254700111222</msisdn><sms><![CDATA[Join <us>]]></sms></req>"
    assert by_xpath.receive(request("EX", "receive", body)).events == (mo("+254700111222", "Join <us>"),)
    named = make(
        "EX", mo_from_field="who", mo_text_field="what", mo_response="OK!", mo_response_content_type="text/x-own"
    )
    reply = named.receive(request("EX", "receive", {"who": "0700111222", "what": "x", "from": "0700999999"}))
    assert (reply.body, reply.content_type, reply.events) == (b"OK!", "text/x-own", (mo("+254700111222", "x"),))


REFUSED = [
    *[pytest.param("AT", request("AT", "receive", {k: v for k, v in AT.items() if k != name}), id=f"at-no-{name}")
      for name in AT],
    pytest.param("AT", request("AT", "receive", {**AT, "date": "yesterday"}), id="at-bad-date"),
    pytest.param("AT", request("AT", "receive", {**AT, "from": "MTN Info"}), id="at-alphanumeric"),
    pytest.param("AT", request("AT", "status", {"id": "x", "status": "Whatever"}), id="at-unknown-status"),
    pytest.param("IB", request("IB", "receive", ib(IB, {**IB, "from": "MTN"})), id="ib-one-bad-sender-rejects-all"),
    pytest.param("IB", request("IB", "receive", ib({**IB, "receivedAt": "soon"})), id="ib-bad-date"),
    pytest.param("IB", request("IB", "receive", b"{"), id="ib-no-json"),
    pytest.param("IB", request("IB", "delivered", ib({"messageId": "1", "status": {"groupName": "X"}})),
                 id="ib-unknown-status"),
    pytest.param("KN", request("KN", "receive", query=KN.replace("ts=1718093702", "ts=soon")), id="kn-bad-ts"),
    pytest.param("KN", request("KN", "receive", query=KN.replace("id=4f0e", "id=")), id="kn-no-id"),
    pytest.param("KN", request("KN", "status", method="GET", query="uuid=nonsense&status=1"), id="kn-bad-uuid"),
    pytest.param("T", signed({**T, "MessageSid": ""}, "receive"), id="t-no-sid"),
    pytest.param("T", signed({**T, "NumMedia": "some"}, "receive"), id="t-bad-media-count"),
    pytest.param("EX", request("EX", "receive", {"text": "hi"}), id="ex-no-sender"),
    pytest.param("EX", request("EX", "receive", {"from": "0700111222", "date": "now"}), id="ex-bad-date"),
    pytest.param("EX", request("EX", "sent", {"uuid": "nonsense"}), id="ex-status-without-id"),
    pytest.param("EX", request("EX", "stopped", {}), id="ex-stopped-without-sender"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "asked"), REFUSED)
def test_what_cannot_be_read_is_a_400_with_a_reason(code: str, asked: Request) -> None:
    reply = make(code).receive(asked)
    assert reply.status == 400
    assert reply.events == ()
    assert reply.body.startswith(b'{"message":"Error","data":[{"type":"error","error":"')


STATUSES = [
    *[pytest.param("AT", request("AT", "status", {"id": "ATX", "status": raw}), expected, id=f"at-{raw}")
      for raw, expected in [("Success", "delivered"), ("Sent", "sent"), ("Buffered", "sent"), ("Rejected", "failed"),
                            ("Failed", "failed"), ("Expired", "failed"), ("AbsentSubscriber", "failed"),
                            ("Submitted", None)]],
    *[pytest.param("IB", request("IB", "delivered", ib({"messageId": MESSAGE, "status": {"groupName": raw}})), expected,
                   id=f"ib-{raw}")
      for raw, expected in [("PENDING", "sent"), ("DELIVERED", "delivered"), ("EXPIRED", "failed"),
                            ("REJECTED", "failed"), ("UNDELIVERABLE", "failed")]],
    *[pytest.param("KN", request("KN", "status", method="GET", query=f"uuid={MESSAGE}&status={raw}"), expected,
                   id=f"kn-{raw}")
      for raw, expected in [(1, "delivered"), (2, "failed"), (4, "sent"), (8, "sent"), (16, "failed"), (32, None)]],
    *[pytest.param("T", signed({"MessageSid": "SM1", "MessageStatus": raw}, "status", f"uuid={MESSAGE}&action=x"),
                   expected, id=f"t-{raw}")
      for raw, expected in [("queued", "sent"), ("sent", "sent"), ("delivered", "delivered"), ("read", "delivered"),
                            ("failed", "failed"), ("undelivered", "failed"), ("accepted", None), ("sending", None)]],
    *[pytest.param("EX", request("EX", raw, {"id": "12", "uuid": MESSAGE}), raw, id=f"ex-{raw}")
      for raw in ("sent", "delivered", "failed")],
]  # fmt: skip


@pytest.mark.parametrize(("code", "asked", "expected"), STATUSES)
def test_statuses(code: str, asked: Request, expected: str | None) -> None:
    reply = make(code).receive(asked)
    assert reply.status == 200
    told = [event.status.value for event in reply.events if isinstance(event, StatusUpdate)]
    assert told == ([expected] if expected else [])


def test_external_takes_a_valid_id_beside_an_invalid_uuid() -> None:
    (update,) = make("EX").receive(request("EX", "sent", {"uuid": "nonsense", "id": "1241244"})).events
    assert isinstance(update, StatusUpdate)
    assert update.id == "1241244"


def test_temporary_failures_are_left_alone_where_the_channel_says_so() -> None:
    asked = request("KN", "status", method="GET", query=f"uuid={MESSAGE}&status=16")
    reply = make("KN", retry_errored=True).receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


def test_an_unsubscribed_recipient_is_a_failure_and_an_opt_out() -> None:
    data = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "21610", "To": "+12065550142"}
    update, optout = make("T").receive(signed(data, "status", f"uuid={MESSAGE}&action=callback&part=1")).events
    assert isinstance(update, StatusUpdate)
    assert (update.status.value, update.part, update.code) == ("failed", 1, "21610")
    assert optout == OptOut(channel=UUID, sender="+12065550142")


TWILIO_VECTOR = {"MessageSid": "SM00000000000000000000000000000abc", "AccountSid": "AC00000000000000000000000000000def",
                 "From": "+12065550142", "To": "+12065550199", "Body": "Good day", "FromCountry": "US",
                 "NumMedia": "0"}  # fmt: skip


@pytest.mark.parametrize(
    ("signature", "status"),
    [("YqYvDtm4Nv390YPvgtaBmzvgWHI=", 200), ("YqYvDtm4Nv390YPvgtaBmzvgWHJ=", 400), ("", 400), ("é", 400)],
)
def test_twilio_signature(signature: str, status: int) -> None:
    plain = request("T", "receive", TWILIO_VECTOR, headers={"X-Twilio-Signature": signature})
    uuid = "6f0a1c9e-1111-4222-8333-944455566677"
    asked = Request("POST", "receive", plain.url.replace(UUID, uuid), plain.headers, plain.body)
    assert make("T").receive(asked).status == status


@pytest.mark.parametrize("code", channels.CODES)
def test_unknown_actions_and_methods(code: str) -> None:
    with pytest.raises(NoRoute):
        make(code).receive(request(code, "nonsense"))
    with pytest.raises(MethodNotAllowed, match="POST"):
        make(code).receive(request(code, "receive", method="PATCH"))


@pytest.mark.parametrize("code", channels.CODES)
def test_a_token_and_a_network_can_be_asked_for(code: str) -> None:
    action = next(iter(make(code).routes()))
    method = make(code).routes()[action][0]
    guarded = make(code, secret="tok", allowed_networks=["192.0.2.0/24"])
    assert guarded.receive(request(code, action, method=method)).status == 401
    assert "token=tok" in guarded.callback(action)
    assert make(code, allowed_networks=["198.51.100.0/24"]).receive(request(code, action, method=method)).status == 403


@pytest.mark.parametrize("kind", ["", "application/json", "text/xml", "multipart/form-data; boundary=x",
                                  "application/x-www-form-urlencoded; charset=utf-16"])  # fmt: skip
@pytest.mark.parametrize("code", channels.CODES)
@given(body=st.binary(max_size=300))
def test_any_octets_get_an_answer_below_500(code: str, kind: str, body: bytes) -> None:
    channel = make(code)
    for action, methods in channel.routes().items():
        asked = request(code, action, body, method=methods[0], headers={"content-type": kind} if kind else {})
        assert channel.receive(asked).status < 500
