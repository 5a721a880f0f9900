"""AWS End User Messaging SMS: https://docs.aws.amazon.com/sms-voice/latest/userguide/"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from chalicelib.channels import dates, sns
from chalicelib.channels import request as replies
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Meaning,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import split_attachment
from chalicelib.channels.request import Event
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.messages import Outgoing
    from chalicelib.transport import Http

_EVENTS: Final[dict[str, Meaning]] = {
    "QUEUED": IGNORED,
    "PENDING": IGNORED,
    "SENT": SENT,
    "SUCCESSFUL": SENT,
    "DELIVERED": DELIVERED,
    "UNKNOWN": IGNORED,  # no receipt after 72 hours
    "INVALID": FAILED,
    "INVALID_MESSAGE": FAILED,
    "UNREACHABLE": FAILED,
    "CARRIER_UNREACHABLE": FAILED,
    "BLOCKED": FAILED,
    "CARRIER_BLOCKED": FAILED,
    "SPAM": FAILED,
    "TTL_EXPIRED": FAILED,
    "PROTECT_BLOCKED": FAILED,
}
_CREDENTIALS: Final = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_OPTED_OUT: Final = "DESTINATION_PHONE_NUMBER_OPTED_OUT"


def judge_aws(response: Response) -> None:
    """An error's type, and its Reason where it has one: AWS's HTTP statuses say little."""
    if response.ok:
        return
    kind = response.pick_id("__type").rpartition("#")[2]
    code = response.pick_id("Reason") or kind
    if kind == "ThrottlingException":
        raise Throttled("connection_throttled", code, response.retry_after())
    if kind == "InternalServerException":
        raise Temporary("connection_failed", code)
    if kind in _CREDENTIALS:
        raise ChannelDown("AWS refuses our credentials", code, credentials=True)
    if kind == "AccessDeniedException":
        raise ChannelDown("the AWS account may not send", code)
    if kind == "ServiceQuotaExceededException":
        raise ChannelDown("an AWS quota is used up", code)
    if code == _OPTED_OUT:
        raise OptedOut("the recipient has opted out", code)
    if kind and response.status < 500 and response.status != 429:
        raise Permanent("response_status", code)
    judge(response)


class AwsSms(HttpChannel):
    """SNS notifications in, signed; the API's JSON out, with Signature Version 4."""

    code = "AWS"
    name = "AWS End User Messaging SMS"
    proof = "Amazon SNS (RSA, with Amazon's certificate)"
    media_when = "one file in S3 (s3://)"
    max_length = 1600  # the API's limit
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type: `username` and `password` are an access key's id and secret.

        `topic_arns` are the SNS topics that are believed; without them, any that Amazon has signed for.
        """

        region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
        username: Text
        password: Secret
        session_token: Secret | None = None
        configuration_set: str = ""
        topic_arns: tuple[str, ...] = ()
        message_type: Literal["TRANSACTIONAL", "PROMOTIONAL"] | None = None
        base_url: Url | None = None  # unset: the region's own

    config: Config
    statuses = {
        **{f"TEXT_{word}": meaning for word, meaning in _EVENTS.items()},
        **{f"MEDIA_{word}": meaning for word, meaning in _EVENTS.items()},
        "MEDIA_FILE_INACCESSIBLE": FAILED,
        "MEDIA_FILE_TYPE_UNSUPPORTED": FAILED,
        "MEDIA_FILE_SIZE_EXCEEDED": FAILED,
    }

    @route("POST", "receive", "status")
    def on_notification(self, request: Request) -> Reply | list[Event]:
        """A message or an event, within an envelope of SNS, or SNS's question whether we want them."""
        envelope = request.json()
        if "Type" not in envelope:
            raise BadRequest("no SNS envelope: raw message delivery must be off")
        kind, topic = envelope.require("Type", "TopicArn")
        if self.config.topic_arns and topic not in self.config.topic_arns:
            raise Forbidden("the topic is not in topic_arns")
        try:
            sns.verify(envelope.values, request.received_at)
            if kind == "SubscriptionConfirmation":
                sns.confirm(envelope.get("SubscribeURL"))
                raise Ignored("subscription confirmed")
        except NotAccepted as failure:  # SNS comes again after a 5xx, never after a 4xx
            return replies.refused(f"SNS cannot be reached: {failure.reason}", status=503)
        if kind != "Notification":
            raise Ignored(f"nothing to do for {kind[:64]!r}")
        return self._event(request, *envelope.require("Message", "Timestamp"))

    def _event(self, request: Request, message: str, timestamp: str) -> list[Event]:
        """`message` is JSON within JSON."""
        data = dataclasses.replace(request, body=message.encode("utf-8", "replace"), headers={}).json()
        if "eventType" in data:
            status = data.get("eventType")
            reason = data.get("messageStatusDescription")
            phone = data.get("destinationPhoneNumber")
            return [self.update(status, external_id=data.get("messageId"), destination=phone, reason=reason)]
        sender, _, text, external_id = data.require(
            "originationNumber", "destinationNumber", "messageBody", "inboundMessageId", may_be_empty=("messageBody",)
        )
        return [self.incoming(sender, text, external_id=external_id, received_at=dates.rfc3339(timestamp))]

    def plan(self, message: Outgoing, generation: int = 1, *, urgent: bool = False) -> tuple[Part, ...]:
        """AWS takes one file as media, and only from S3; the URLs of all others go into the text."""
        pairs = [split_attachment(attachment) for attachment in message.attachments]
        at = next((index for index, pair in enumerate(pairs) if pair and pair[1].startswith("s3://")), None)
        if at is None:
            return super().plan(message, generation, urgent=urgent)
        others = tuple(one for index, one in enumerate(message.attachments) if index != at)
        parts = super().plan(message.model_copy(update={"attachments": others}), generation, urgent=urgent)
        media = tuple(filter(None, (pairs[at],)))
        return (dataclasses.replace(parts[0], attachments=media), *parts[1:])

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; AWS finds the encoding itself."""
        config = self.config
        content: dict[str, Any] = {
            "DestinationPhoneNumber": part.message.to,
            "OriginationIdentity": part.address,
            "MessageBody": part.text,
            "ConfigurationSetName": config.configuration_set,
            "Context": {"msg_id": part.message.key},
        }
        if part.attachments:
            action, content["MediaUrls"] = "SendMediaMessage", [url for _, url in part.attachments]
        else:
            action, content["MessageType"] = "SendTextMessage", config.message_type
        body = json.dumps({name: value for name, value in content.items() if value}).encode()
        url = (config.base_url or f"https://sms-voice.{config.region}.amazonaws.com").rstrip("/") + "/"
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"PinpointSMSVoiceV2.{action}",
        }
        answer = http.post(url, body=body, headers=self._signed(url, headers, body), judge=judge_aws)
        external_id = answer.pick_id("MessageId")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)

    def _signed(self, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers with a Signature Version 4 over them and the body."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        config = self.config
        token = str(config.session_token) if config.session_token else None
        request = AWSRequest("POST", url, headers=headers, data=body)
        SigV4Auth(Credentials(config.username, str(config.password), token), "sms-voice", config.region).add_auth(
            request
        )
        return dict(request.headers.items())
