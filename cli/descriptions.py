"""What a config key is for: its Field's description, the comment beside it, or what its name always means.

Types are files full of tables, and a comment beside a key is easier on the eye than a `Field` around each; so the
comment is the description.
"""

from __future__ import annotations

import ast
import functools
import inspect
import io
import sys
import tokenize
from typing import Final

from pydantic import BaseModel

# RapidPro's names, and ours where it has none. A type whose key means something else says so beside the key.
USUAL: Final[dict[str, str]] = {
    "PLIVO_APP_ID": "the application whose URLs Plivo calls for this number",
    "PLIVO_AUTH_ID": "the account's Auth ID",
    "PLIVO_AUTH_TOKEN": "the account's Auth Token",
    "account_id": "the account's id",
    "account_sid": "the account's SID; on other servers with this API: the account's or project's id",
    "api_host": "scheme and host of the API",
    "api_key": "the account's API key",
    "api_secret": "the API key's secret",
    "api_token": "the API user's token",
    "api_token_user": "the API user",
    "app_id": "the application's id",
    "app_secret": "the application's secret",
    "application_id": "the application's id",
    "application_sid": "the TwiML application's SID; kept for whoever manages it, not used to send",
    "auth_token": "the account's token",
    "base_url": "the API's base URL, where it is another one",
    "body": "template of the request's body, for POST and PUT: {{id}}, {{text}}, {{to}}, {{from}}, ...",
    "carrier_id": "the carrier's number",
    "category": "what kind of messages they are, as the aggregator's terms want it",
    "channel": "the route that messages take",
    "channel_hash": "the hash of the number to send from",
    "configuration_set": "the configuration set whose event destination tells what becomes of messages",
    "content_type": "urlencoded, json, xml, or a Content-Type of its own",
    "cp_address": "sent as cpAddress, where MTN has given one",
    "device_id": "the phone to send with",
    "dlr_mask": "reports that Kannel is asked for: sum of 1 delivered, 2 failed, 4 buffered, 8 accepted, 16 rejected",
    "encoding": "D: as the text is; S: replace characters where that makes it GSM 7-bit; U: always Unicode",
    "from_xpath": "XPath 1.0 of the sender in an XML body",
    "headers": "further request headers, an object",
    "ignore_dlrs": "pass over reports, except of failures",
    "ignore_sent": "pass over reports that say less than delivered or failed",
    "incoming_prefixes": "keywords that are taken off the beginning of messages",
    "instance_id": "the instance's number",
    "link_shortening": "have links shortened; needs a messaging service",
    "macrokiosk_sender_id": "what messages are sent from",
    "macrokiosk_service_id": "the service's id",
    "merchant_id": "the merchant's id, part of the URL",
    "merchant_secret": "what requests are signed with",
    "message_type": "transactional or promotional, as the aggregator bills and treats them",
    "messaging_application_id": "the application to send with",
    "messaging_profile_id": "the messaging profile to send with",
    "messaging_service_sid": "the messaging service that sends, in place of the channel's address",
    "method": "HTTP method of the request that sends",
    "mms": "the account has MMS: attachments travel as media",
    "mo_date_field": "name of the date field in what comes in, where it is neither date nor time",
    "mo_from_field": "name of the sender field in what comes in, where it is neither from nor sender",
    "mo_response": "what a received message is answered with, in place of our own JSON",
    "mo_response_content_type": "Content-Type of mo_response; empty: text/plain",
    "mo_text_field": "name of the text field in what comes in, where it is not text",
    "mt_response_check": "what the answer must contain, or the message has failed",
    "mtn_subscription_id": "id of the subscription of our callback; kept for whoever removes it",
    "nexmo_api_key": "the account's API key",
    "nexmo_api_secret": "the account's API secret",
    "nexmo_app_id": "the application for voice; not used",
    "nexmo_app_private_key": "its key; not used",
    "number_sid": "the number's SID; kept for whoever manages it, not used to send",
    "org_id": "the organisation's id",
    "passphrase": "the application's passphrase",
    "password": "the account's password",
    "private_key": "the key that requests are signed with",
    "public_key": "the account's public key",
    "receive_template": "template that makes from, text and the rest of what comes in; empty: fields as they are",
    "region": "where the account is",
    "send_attachment_in_parts": "each attachment in a request of its own, before the text",
    "send_authorization": "value of the Authorization header",
    "send_media_url": "where requests that carry media go, if elsewhere",
    "send_template": "template of the request's body",
    "send_url": "where messages are sent to",
    "send_url_template": "template of the URL, in place of send_url",
    "service_code": "the aggregator's product that messages are sent with",
    "service_id": "the service's id",
    "session_token": "of temporary credentials",
    "signature_method": "how the account signs",
    "signature_secret": "what the account signs callbacks with; unset: they are not checked",
    "text_xpath": "XPath 1.0 of the text in an XML body",
    "topic_arns": "SNS topics that are believed; empty: any that Amazon has signed for",
    "transliteration": "the alphabet that Infobip is to turn texts into, e.g. NON_UNICODE; empty: none",
    "use_national": "write numbers without their country code",
    "username": "the account's user name",
    "verify_ssl": "false takes any certificate: for a gateway of your own",
    "zenvia_message_subscription_id": "id of the subscription for messages; kept for whoever removes it",
    "zenvia_status_subscription_id": "id of the subscription for reports; kept for whoever removes it",
}


def of(model: type[BaseModel], key: str) -> str:
    """The description of one key of a type's `Config`; "" where nobody has said anything."""
    for one in model.__mro__:  # a type that gives a key another default need not describe it again
        known = one.model_fields.get(key) if issubclass(one, BaseModel) and one is not BaseModel else None
        if known is not None and key in vars(one).get("__annotations__", {}):
            told = known.description or _comments(one).get(key)
            if told:
                return told
    return USUAL.get(key, "")


@functools.cache
def _comments(model: type) -> dict[str, str]:
    """Key -> the comment on the line of its definition, or on the lines of its own right above."""
    source = inspect.getsource(sys.modules[model.__module__])
    comments: dict[int, tuple[str, bool]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("# ").split("  #")[0].strip()
            if not text.startswith(("noqa", "type:", "fmt:")):
                comments[token.start[0]] = (text, not token.line[: token.start[1]].strip())
    found: dict[str, str] = {}
    for node in _fields(source, model.__qualname__):
        assert isinstance(node.target, ast.Name)  # noqa: S101 - in a class body
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        beside = [comments[line][0] for line in lines if line in comments]
        above: list[str] = []
        line = node.lineno - 1
        while line in comments and comments[line][1]:
            above.insert(0, comments[line][0])
            line -= 1
        if beside or above:
            found[node.target.id] = " ".join(beside or above)
    return found


def _fields(source: str, qualified: str) -> list[ast.AnnAssign]:
    """The annotated names in the body of the class `Outer.Inner`."""
    body: list[ast.stmt] = ast.parse(source).body
    for name in qualified.split("."):
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == name), [])
    return [node for node in body if isinstance(node, ast.AnnAssign)]
