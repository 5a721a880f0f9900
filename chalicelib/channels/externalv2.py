"""Any HTTP API, described by a template for each direction: External API v2 of a RapidPro-compatible platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import field_validator, model_validator

from chalicelib.channels import dates, templates
from chalicelib.channels.base import BadRequest, Flag, Part, Request, Secret, Url, route
from chalicelib.channels.external import ExternalReports
from chalicelib.channels.parts import split_attachment
from chalicelib.channels.reading import JsonObject
from chalicelib.channels.request import Event
from chalicelib.channels.template_functions import TemplateError, shown
from chalicelib.messages import Incoming, Outgoing
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.redaction import template_secrets

if TYPE_CHECKING:
    from chalicelib.channels.base import Share
    from chalicelib.transport import Http

_FLAGS: Final = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False, "": False}
# parts of rich messages that templates may ask for; SMS has none
_RICH: Final = ("header", "body", "footer", "header_type", "header_text", "interaction_type", "action", "action_type",
                "list_message", "cta_message", "flow_message", "order_details_message", "send_catalog")  # fmt: skip
_LISTS: Final = ("buttons", "products")


class ExternalV2(ExternalReports):
    """A template makes our JSON of what comes in, and the API's JSON or form of what goes out."""

    code = "E2"
    name = "External API v2"
    max_length = None
    media = True

    class Config(ExternalReports.Config):
        """Keys of the E2 channel. In its templates JSON and URLs are escaped where a value is put out."""

        send_url: Url | None = None
        send_url_template: str = ""
        send_media_url: Url | None = None
        send_template: str = ""
        receive_template: str = ""
        method: str = "POST"
        content_type: Literal[
            "urlencoded", "json", "application/x-www-form-urlencoded", "application/json"
        ] = "urlencoded"  # fmt: skip
        send_authorization: Secret | None = None
        mt_response_check: str = ""
        send_attachment_in_parts: Flag = False

        @field_validator("send_attachment_in_parts", mode="before")
        @classmethod
        def _as_flag(cls, value: Any) -> Any:
            """The platform writes it as text."""
            return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value

        @field_validator("send_url_template", "send_template", "receive_template")
        @classmethod
        def _readable(cls, value: str) -> str:
            templates.read(value)
            return value

        @model_validator(mode="after")
        def _usable(self) -> ExternalV2.Config:
            if not self.send_url and not self.send_url_template:
                raise ValueError("send_url: required key is missing (or send_url_template)")
            if not self.send_template and not self.content_type.endswith("json"):
                raise ValueError("send_template: required key is missing, the form's fields come from it")
            return self

        def secrets(self) -> tuple[str, ...]:
            """Also what looks like a credential in the URLs and templates."""
            given = (self.send_url, self.send_media_url, self.send_url_template, self.send_template)
            return (*super().secrets(), *(secret for one in given for secret in template_secrets(one or "")))

    config: Config

    @route("POST GET", "receive")
    def on_message(self, request: Request) -> list[Event]:
        """MOs, in whatever JSON or form the template makes messages of."""
        if not self.config.receive_template:
            raise BadRequest("the channel has no receive_template, so nothing can be received")
        if "application/json" in request.header("content-type").lower():
            data = request.json().values
        else:
            data = {}
            for name, value in request.plain_form(multipart=True).items():
                data.setdefault(name, value)
        try:
            text = templates.read(self.config.receive_template).render(data, templates.json_escape)
            made = json.loads(text)
        except TemplateError as error:
            raise BadRequest(f"receive_template cannot be used on this request: {error}") from None
        except (ValueError, RecursionError):
            made = None
        if not isinstance(made, dict):
            raise BadRequest("receive_template does not make a JSON object of this request")
        messages = JsonObject(made).require_objects("messages")
        if not messages:
            raise BadRequest("receive_template makes no messages of this request")
        return self.each(messages, self._message)

    def _message(self, item: JsonObject) -> Incoming:
        sender, date, attachments = item.scalar("urn_path"), item.get("date"), item.strings("attachments")
        if not sender:
            raise BadRequest("request failed validation", ["field 'urn_path' required"])
        if not all((split_attachment(one) or ("", ""))[1].startswith(("http://", "https://")) for one in attachments):
            raise BadRequest("request failed validation", ["field 'attachments' must be of <type>:<http(s) URL>"])
        return self.incoming(
            sender,
            item.scalar("text"),
            external_id=item.scalar("id"),
            received_at=dates.rfc3339(date) if date else None,
            attachments=attachments,
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """All in one request, or each attachment by itself and then the text."""
        apart = self.config.send_attachment_in_parts
        return self.shares_apart(message) if apart else self.shares_with_media(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One request, made from the templates."""
        config = self.config
        values = self._values(part)
        headers = {"Authorization": str(config.send_authorization)} if config.send_authorization else {}
        body = _rendered("send_template", config.send_template, values)
        if config.content_type.endswith("json"):
            headers["Content-Type"] = "application/json"
            sent: dict[str, Any] = {"body": body} if config.method in ("POST", "PUT") else {}
        else:
            sent = {"form": _fields(body)}
        answer = http.request(config.method, self._url(part, values), headers=headers, **sent)
        if config.mt_response_check and config.mt_response_check not in answer.text:
            raise Permanent("response_content")
        return Accepted()

    def _url(self, part: Part, values: Mapping[str, Any]) -> str:
        config = self.config
        if config.send_url_template:
            url = _rendered("send_url_template", config.send_url_template, values, in_url=True)
            if not url.startswith(("http://", "https://")):
                raise Permanent("send_url_template does not make an http(s) URL of this message")
            return url
        alone = config.send_attachment_in_parts and bool(part.attachments)
        return (alone and config.send_media_url) or config.send_url or ""

    def _values(self, part: Part) -> dict[str, Any]:
        message = part.message
        identity = f"tel:{message.to}"
        return {
            "id": message.key,
            "uuid": message.key,
            "text": part.text,
            "attachments": [f"{kind}:{url}" for kind, url in part.attachments],
            "contact_urn": identity,
            "urn": {"scheme": "tel", "path": message.to, "query": "", "fragment": "", "identity": identity, "auth": ""},
            "urn_path": message.to,
            "urn_identity": identity,
            "urn_auth": "",
            "channel": part.address,
            "channel_uuid": self.uuid,
            "quick_replies": list(message.quick_replies) if part.last else [],
            **dict.fromkeys(_RICH, ""),
            **{name: [] for name in _LISTS},
        }


def _rendered(name: str, template: str, values: Mapping[str, Any], *, in_url: bool = False) -> str:
    escape = templates.url_escape if in_url else templates.json_escape
    try:
        return templates.read(template).render(dict(values), escape)
    except TemplateError as error:
        raise Permanent(f"{name} cannot be used on this message: {error}") from None


def _fields(text: str) -> list[tuple[str, str]]:
    """The pairs of a JSON object as form fields: texts as they are, lists and objects as JSON."""
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        made = None
    if not isinstance(made, dict):
        raise Permanent("send_template does not make a JSON object of this message")
    return [(name, _field(value)) for name, value in made.items()]


def _field(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return shown(value, "")
