"""AWS End User Messaging SMS: https://docs.aws.amazon.com/sms-voice/latest/userguide/"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from chalicelib import transport
from chalicelib.channels import sns
from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from tests.channels.sns_support import AT, CERTIFICATE_URL, TIMESTAMP, TOPIC, notification, sealed, signer
from tests.channels.support import MESSAGE, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="AWS",
    config={"region": "eu-west-1", "username": "AKIDEXAMPLE", "password": "s3cr3t/k+y&1", "topic_arns": [TOPIC]},
    url="https://sms-voice.eu-west-1.amazonaws.com/",
    answer=(200, {"MessageId": "862a8790-60c0-4430-9b2b-658bd0000001"}),
    external_id="862a8790-60c0-4430-9b2b-658bd0000001",
)
MO = {"originationNumber": "+447700900111", "destinationNumber": "+447700900222", "messageKeyword": "KEYWORD_1",
      "messageBody": "yes", "inboundMessageId": "5a1c0f5e"}  # fmt: skip
EVENT = {"eventType": "TEXT_DELIVERED", "eventVersion": "1.0", "eventTimestamp": 1714644001000, "isFinal": True,
         "destinationPhoneNumber": "+447700900111", "messageId": "862a8790", "messageStatus": "DELIVERED",
         "messageStatusDescription": "Message has been accepted by phone", "context": {"msg_id": "8812"}}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "5a1c0f5e", "received_at": AT}
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336"
CONFIRMATION = {"Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336", "TopicArn": TOPIC,
                "Message": "You have chosen to subscribe", "SubscribeURL": SUBSCRIBE_URL,
                "Timestamp": TIMESTAMP}  # fmt: skip


@pytest.fixture(autouse=True)
def web() -> Iterator[responses.RequestsMock]:
    """Amazon SNS's host, with the certificate."""
    transport.reset()
    sns.certificates.cache_clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(CERTIFICATE_URL, body=signer().certificate)
        yield mock
    sns.certificates.cache_clear()


def deliver(envelope: Any, action: str = "receive") -> Request:
    """As SNS posts: JSON that is called plain text."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    return request("AWS", action, json.dumps(envelope).encode(), headers=headers)


def inner(data: Any, action: str = "receive", **changes: Any) -> Request:
    return deliver(notification(data if isinstance(data, str) else json.dumps(data), **changes), action)


def signed(asked: Request, version: str = "1") -> Request:
    """With Amazon's signature, where it is an envelope."""
    try:
        envelope = json.loads(asked.body)
    except ValueError:
        return asked
    if not isinstance(envelope, dict) or "Type" not in envelope:
        return asked
    return dataclasses.replace(asked, body=json.dumps(sealed(envelope, version)).encode())


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(MO, mo("+447700900111", "yes", **KNOWN), id="as-documented"),
        pytest.param({**MO, "messageBody": "Ünï 😀"}, mo("+447700900111", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param({**MO, "messageBody": ""}, mo("+447700900111", "", **KNOWN), id="empty-text"),
        pytest.param({**MO, "originationNumber": "40404"}, mo("40404", "yes", **KNOWN), id="short-code"),
        pytest.param(
            {**MO, "previousPublishedMessageId": "x", "new": 1}, mo("+447700900111", "yes", **KNOWN), id="new"
        ),
    ],
)
def test_messages(action: str, data: Any, expected: Incoming) -> None:
    reply = make("AWS").receive(signed(inner(data, action)))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_signature_versions(version: str) -> None:
    assert make("AWS").receive(signed(inner(MO), version)).status == 200


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(inner(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("originationNumber", "destinationNumber", "messageBody", "inboundMessageId")],
        pytest.param(inner({**MO, "originationNumber": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(inner("hello"), "unable to parse request JSON", id="inner-is-no-json"),
        pytest.param(inner("[]"), "must be an object", id="inner-is-no-object"),
        pytest.param(inner({**EVENT, "messageId": ""}), "external id", id="event-no-id"),
        pytest.param(deliver(MO), "raw message delivery must be off", id="no-envelope"),
        pytest.param(deliver({"Type": "Notification"}), "field 'TopicArn' required", id="no-topic"),
        pytest.param(deliver(without(notification("x"), "Message")), "field 'Message' required", id="no-message"),
        pytest.param(deliver([]), "must be an object", id="array"),
        pytest.param(request("AWS", "receive", b"{"), "unable to parse request JSON", id="no-json"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("AWS").receive(signed(asked))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


WORDS = {
    "QUEUED": [], "PENDING": [], "UNKNOWN": [], "SENT": ["sent"], "SUCCESSFUL": ["sent"], "DELIVERED": ["delivered"],
    "INVALID": ["failed"], "INVALID_MESSAGE": ["failed"], "UNREACHABLE": ["failed"],
    "CARRIER_UNREACHABLE": ["failed"], "BLOCKED": ["failed"], "CARRIER_BLOCKED": ["failed"], "SPAM": ["failed"],
    "TTL_EXPIRED": ["failed"], "PROTECT_BLOCKED": ["failed"],
}  # fmt: skip
FILES = ("FILE_INACCESSIBLE", "FILE_TYPE_UNSUPPORTED", "FILE_SIZE_EXCEEDED")


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [*[(f"{what}_{word}", expected) for what in ("TEXT", "MEDIA") for word, expected in WORDS.items()],
     *[(f"MEDIA_{word}", ["failed"]) for word in FILES], ("VOICE_BUSY", []), ("TEXT_SOMETHING_NEW", [])],
)  # fmt: skip
def test_statuses(action: str, kind: str, expected: list[str]) -> None:
    reply = make("AWS").receive(signed(inner({**EVENT, "eventType": kind}, action)))
    assert (reply.status, told(reply)) == (200, expected)
    if expected:
        (update,) = reply.events
        assert isinstance(update, StatusUpdate)
        assert (update.external_id, update.destination) == ("862a8790", "+447700900111")
        assert update.reason == "Message has been accepted by phone"
        assert update.code == (kind if expected == ["failed"] else "")


# --- SNS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        pytest.param(inner(MO), {"Signature": ""}, id="not-signed"),
        pytest.param(inner(MO), {"Message": "{}"}, id="another-message"),
        pytest.param(inner(MO, TopicArn=TOPIC + "-of-another"), {}, id="another-topic"),
        pytest.param(inner(MO, Timestamp="2026-01-31T02:40:00.120Z"), {}, id="replayed"),
        pytest.param(deliver(CONFIRMATION), {"Signature": "AAAA"}, id="confirmation-not-signed"),
        pytest.param(deliver({**CONFIRMATION, "SubscribeURL": "https://example.org/"}), {}, id="confirm-elsewhere"),
        pytest.param(deliver(without(CONFIRMATION, "SubscribeURL")), {}, id="confirm-nowhere"),
    ],
)
@pytest.mark.parametrize("action", ["receive", "status"])
def test_what_amazon_has_not_sent(
    asked: Request, changes: dict[str, str], action: str, web: responses.RequestsMock
) -> None:
    body = json.dumps({**json.loads(signed(asked).body), **changes}).encode()
    reply = make("AWS").receive(dataclasses.replace(asked, body=body, action=action))
    assert (reply.status, reply.kind, reply.events) == (403, "forbidden", ())
    assert all(call.request.url == CERTIFICATE_URL for call in web.calls)


def test_topics_are_compared_only_where_they_are_named() -> None:
    asked = signed(inner(MO, TopicArn=TOPIC + "-of-another"))
    assert make("AWS", topic_arns=[]).receive(asked).status == 200
    assert make("AWS", topic_arns=["x", TOPIC + "-of-another"]).receive(asked).status == 200


def test_a_subscription_is_confirmed(web: responses.RequestsMock) -> None:
    web.get("https://sns.eu-west-1.amazonaws.com/", body="<ConfirmSubscriptionResponse/>")
    reply = make("AWS").receive(signed(deliver(CONFIRMATION)))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert [call.request.url for call in web.calls] == [CERTIFICATE_URL, SUBSCRIBE_URL]


def test_the_end_of_a_subscription_is_ignored(web: responses.RequestsMock) -> None:
    reply = make("AWS").receive(signed(deliver({**CONFIRMATION, "Type": "UnsubscribeConfirmation"})))
    assert (reply.status, reply.kind) == (200, "ignored")
    assert [call.request.url for call in web.calls] == [CERTIFICATE_URL]


def test_sns_comes_again_where_its_host_cannot_be_reached(web: responses.RequestsMock) -> None:
    """SNS takes a 4xx for good, so our own trouble must not be one."""
    web.get("https://sns.eu-west-1.amazonaws.com/", status=500)
    assert make("AWS").receive(signed(deliver(CONFIRMATION))).status == 503
    sns.certificates.cache_clear()
    web.replace(responses.GET, CERTIFICATE_URL, status=500)
    reply = make("AWS").receive(signed(inner(MO)))
    assert (reply.status, reply.kind, reply.events) == (503, "refused", ())


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    config = {"configuration_set": "sms", "message_type": "TRANSACTIONAL"}
    done = offer("AWS", text="Hi ✓", address="+447700900222", config=config,
                 attachments=["image/jpeg:https://x.org/a.jpg"])  # fmt: skip
    assert json.loads(done.request.body) == {
        "DestinationPhoneNumber": "+254700111222", "OriginationIdentity": "+447700900222",
        "MessageBody": "Hi ✓\nhttps://x.org/a.jpg", "MessageType": "TRANSACTIONAL", "ConfigurationSetName": "sms",
        "Context": {"msg_id": MESSAGE},
    }  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert done.request.headers["X-Amz-Target"] == "PinpointSMSVoiceV2.SendTextMessage"


def test_what_is_not_set_is_left_out() -> None:
    body = json.loads(offer("AWS", address="").request.body)
    assert body == {"DestinationPhoneNumber": "+254700111222", "MessageBody": "Hello", "Context": {"msg_id": MESSAGE}}


@pytest.mark.parametrize("text", ["Look", ""])
def test_a_file_in_s3_is_media(text: str) -> None:
    files = ["image/png:https://x.org/b.png", "image/jpeg:s3://bucket/a.jpg", "image/jpeg:s3://bucket/c.jpg"]
    done = offer("AWS", text=text, attachments=files, config={"message_type": "PROMOTIONAL"})
    body = json.loads(done.request.body)
    assert done.request.headers["X-Amz-Target"] == "PinpointSMSVoiceV2.SendMediaMessage"
    assert body["MediaUrls"] == ["s3://bucket/a.jpg"]
    assert body["MessageBody"].split("\n") == [*filter(None, [text]), "https://x.org/b.png", "s3://bucket/c.jpg"]
    assert "MessageType" not in body
    alone = json.loads(offer("AWS", text=text, attachments=files[1:2]).request.body)
    assert alone.get("MessageBody", "") == text


def test_only_the_first_part_has_the_media() -> None:
    done = offer("AWS", text="word " * 400, attachments=["image/jpeg:s3://bucket/a.jpg"])
    targets = [call.headers["X-Amz-Target"].rpartition(".")[2] for call in done.calls]
    assert targets == ["SendMediaMessage", "SendTextMessage"]
    assert max(len(json.loads(call.body)["MessageBody"]) for call in done.calls) <= 1600


def signature_of(call: Any, secret: str, region: str, host: str) -> str:
    """Signature Version 4 by hand: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    names = call.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    values = {name.lower(): one if isinstance(one, str) else one.decode() for name, one in call.headers.items()}
    values["host"] = host
    headers = "".join(f"{name}:{values[name]}\n" for name in names)
    canonical = f"POST\n/\n\n{headers}\n{';'.join(names)}\n{hashlib.sha256(call.body).hexdigest()}"
    stamp = values["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/sms-voice/aws4_request"
    signed = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + secret.encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.new(key, signed.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("config", "url", "host"),
    [
        ({}, SAMPLE.url, "sms-voice.eu-west-1.amazonaws.com"),
        ({"session_token": "tok/en+1"}, SAMPLE.url, "sms-voice.eu-west-1.amazonaws.com"),
        ({"base_url": "https://sms.example.org:8443"}, "https://sms.example.org:8443/", "sms.example.org:8443"),
        ({"region": "us-east-2"}, "https://sms-voice.us-east-2.amazonaws.com/", "sms-voice.us-east-2.amazonaws.com"),
    ],
)
def test_signature_version_4(config: dict[str, Any], url: str, host: str) -> None:
    call = offer("AWS", config=config, url=url, text="Hi ✓").request
    region = config.get("region", "eu-west-1")
    given = call.headers["Authorization"]
    assert given.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert f"/{region}/sms-voice/aws4_request" in given
    signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"content-type", "host", "x-amz-date", "x-amz-target"} <= set(signed)
    assert given.endswith("Signature=" + signature_of(call, "s3cr3t/k+y&1", region, host))
    assert call.headers.get("X-Amz-Security-Token") == config.get("session_token")
    assert ("x-amz-security-token" in signed) == ("session_token" in config)


@pytest.mark.parametrize(
    ("config", "why"),
    [({"region": "eu/west"}, "region: "), ({"message_type": "x"}, "message_type: "), ({"base_url": "x"}, "base_url: "),
     ({"topic_arns": "x"}, "topic_arns: ")],
)  # fmt: skip
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make("AWS", **config)


def error(kind: str, reason: str | None = None) -> dict[str, Any]:
    return {"__type": kind, "Message": "no", **({"Reason": reason} if reason else {})}


OUT = "DESTINATION_PHONE_NUMBER_OPTED_OUT"
SPENT = "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((400, error("ThrottlingException")), Throttled, "ThrottlingException", id="throttled"),
        pytest.param((400, error("com.amazonaws#ThrottlingException")), Throttled, "ThrottlingException", id="prefix"),
        pytest.param((500, error("InternalServerException")), Temporary, "InternalServerException", id="internal"),
        pytest.param((503, "no"), Temporary, "503", id="503"),
        pytest.param((402, error("ServiceQuotaExceededException", SPENT)), ChannelDown, SPENT, id="spent"),
        pytest.param((400, error("ConflictException", OUT)), OptedOut, OUT, id="opted-out"),
        *[pytest.param((409, error("ConflictException", why)), Permanent, why, id=why) for why in (
            "DESTINATION_PHONE_NUMBER_NOT_VERIFIED", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION",
            "NO_ORIGINATION_IDENTITIES_FOUND", "MESSAGE_TYPE_MISMATCH")],
        pytest.param((400, error("ValidationException", "FIELD_VALIDATION_FAILED")), Permanent,
                     "FIELD_VALIDATION_FAILED", id="validation"),
        pytest.param((404, error("ResourceNotFoundException")), Permanent, "ResourceNotFoundException", id="not-found"),
        pytest.param((403, error("AccessDeniedException", "ACCOUNT_DISABLED")), ChannelDown, "ACCOUNT_DISABLED",
                     id="access-denied"),
        *[pytest.param((400, error(kind)), ChannelDown, kind, id=kind) for kind in (
            "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
            "IncompleteSignatureException", "MissingAuthenticationTokenException")],
        pytest.param((400, error("SomethingNew")), Permanent, "SomethingNew", id="unknown"),
        pytest.param((200, {}), Permanent, "", id="no-id"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("AWS", answer).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.code) == (expected, code)
    if isinstance(outcome, ChannelDown):
        assert outcome.credentials is (code not in (SPENT, "ACCOUNT_DISABLED"))


def test_accepted() -> None:
    assert offer("AWS", text="word " * 400).outcomes == [Accepted(SAMPLE.external_id)] * 2
