"""Reading what aggregators post: forms in both of the field's styles, JSON, XML, and the character sets they come in.

Nothing here trusts the Content-Type: a body that cannot be read is a `BadRequest`, never another exception.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from chalicelib.channels.request import MAX_BODY, BadRequest, Request

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_FIELDS: Final = 1000  # parameters of one form; Django's DATA_UPLOAD_MAX_NUMBER_FIELDS
MAX_INTEGER: Final = 2**63 - 1

Pair = tuple[str, bytes]


def charset_of(request: Request) -> str:
    """The charset the Content-Type names, "" where it names none."""
    for item in request.header("content-type").split(";")[1:]:
        name, _, value = item.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return ""


def decode(octets: bytes, charset: str = "") -> str:
    """Octets as text; an unknown charset is read as UTF-8, what cannot be read becomes U+FFFD."""
    try:
        return octets.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return octets.decode("utf-8", "replace")


@dataclass(frozen=True)
class Form:
    """Parameters in their order of preference, values as octets until they are asked for."""

    pairs: tuple[Pair, ...]
    charset: str = ""
    fold: bool = False  # match names ignoring case
    last: bool = False  # the last value of a repeated name wins

    def octets(self, name: str) -> bytes | None:
        """The value of `name` after percent-decoding, None where it is absent."""
        wanted = name.lower() if self.fold else name
        found = [value for key, value in self.pairs if (key.lower() if self.fold else key) == wanted]
        return (found[-1] if self.last else found[0]) if found else None

    def __contains__(self, name: str) -> bool:
        return self.octets(name) is not None

    def get(self, name: str, default: str = "") -> str:
        """The value of `name` as text, `default` where it is absent."""
        value = self.octets(name)
        return default if value is None else decode(value, self.charset)

    def first_of(self, *names: str) -> str:
        """The value of the first of `names` that is not empty, else ""."""
        return next(filter(None, map(self.get, names)), "")

    def items(self) -> Iterator[tuple[str, str]]:
        """All parameters as text, in order, repeated ones included."""
        return ((name, decode(value, self.charset)) for name, value in self.pairs)

    def require(self, *names: str, may_be_empty: Sequence[str] = ()) -> tuple[str, ...]:
        """The values of `names`, all of them present and (those in `may_be_empty` aside) not empty.

        Raises:
            BadRequest: naming every one that is missing.
        """
        missing = [n for n in names if not (self.get(n) or (n in may_be_empty and n in self))]
        if missing:
            raise BadRequest("request failed validation", [f"field '{name}' required" for name in missing])
        return tuple(self.get(name) for name in names)

    def integer(self, name: str) -> int | None:
        """The value of `name` as an integer; None where it is absent or empty.

        Raises:
            BadRequest: it is not an integer.
        """
        return to_integer(name, self.get(name))

    def require_integer(self, name: str) -> int:
        """As `integer`, and it must be there and not 0.

        Raises:
            BadRequest: it is missing, empty, 0 or not an integer.
        """
        value = self.integer(name)
        if not value:
            raise BadRequest("request failed validation", [f"field '{name}' required"])
        return value


def to_integer(name: str, text: str) -> int | None:
    """An integer of up to 64 bits as text, ASCII digits only; None for "".

    Raises:
        BadRequest: naming the field.
    """
    text = text.strip()
    if not text:
        return None
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and int(digits) <= MAX_INTEGER):
        raise BadRequest("request failed validation", [f"field '{name}' must be an integer"])
    return int(text)


def parse_urlencoded(octets: bytes) -> tuple[Pair, ...]:
    """Pairs of an urlencoded form (WHATWG URL 5.1), raw octets outside ASCII included.

    Raises:
        BadRequest: more than 1000 parameters.
    """
    items = [item for item in octets.split(b"&") if item]
    if len(items) > MAX_FIELDS:
        raise BadRequest(f"more than {MAX_FIELDS} parameters")
    pairs = []
    for item in items:
        name, _, value = item.replace(b"+", b" ").partition(b"=")
        pairs.append((decode(unquote_to_bytes(name)), unquote_to_bytes(value)))
    return tuple(pairs)


def parse_multipart(request: Request) -> tuple[Pair, ...]:
    """Pairs of a multipart/form-data body (RFC 7578); files are read like any field.

    Raises:
        BadRequest: no boundary, or more than 1000 parts.
    """
    from email.parser import BytesParser

    content_type = "".join(request.header("content-type").splitlines()).encode("utf-8", "replace")
    message = BytesParser().parsebytes(
        b"MIME-Version: 1.0\r\nContent-Type: " + content_type + b"\r\n\r\n" + request.body
    )
    if not message.is_multipart():
        raise BadRequest("multipart body without a readable boundary")
    parts = message.get_payload()
    if len(parts) > MAX_FIELDS:
        raise BadRequest(f"more than {MAX_FIELDS} parameters")
    pairs = []
    for part in parts:
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        if isinstance(name, tuple):  # RFC 2231
            name = name[2]
        if isinstance(name, str) and isinstance(payload, bytes):
            pairs.append((name, payload))
    return tuple(pairs)


def _is_multipart(request: Request) -> bool:
    return "multipart/form-data" in request.header("content-type").lower()


def _body_pairs(request: Request) -> tuple[Pair, ...]:
    """The pairs of an urlencoded body. A body of no declared type is read as a form: many senders forget to say so."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind in ("", "application/x-www-form-urlencoded", "application/octet-stream"):
        return parse_urlencoded(request.body)
    return ()


def _query_pairs(request: Request) -> tuple[Pair, ...]:
    return parse_urlencoded(request.raw_query.encode("utf-8", "surrogateescape"))


def query_form(request: Request) -> Form:
    """The query string alone, in the schema style."""
    return Form(_query_pairs(request), "", fold=True, last=True)


def schema_form(request: Request, charset: str = "") -> Form:
    """Names ignore case and the last value wins; multipart is read."""
    if _is_multipart(request):
        pairs = _query_pairs(request) + parse_multipart(request)
    else:
        pairs = _body_pairs(request) + _query_pairs(request)
    return Form(pairs, charset or charset_of(request), fold=True, last=True)


def plain_form(request: Request, charset: str = "", *, multipart: bool = False) -> Form:
    """Exact names and the first value wins; multipart only where the type asks for it."""
    if multipart and _is_multipart(request):
        pairs = _query_pairs(request) + parse_multipart(request)
    else:
        pairs = _body_pairs(request) + _query_pairs(request)
    return Form(pairs, charset or charset_of(request))


def form_or_json(request: Request) -> Form:
    """As `schema_form`; of a JSON body its members that hold one value, for senders that may be set to either."""
    if request.header("content-type").partition(";")[0].strip().lower() != "application/json":
        return schema_form(request)
    pairs = [
        (name, (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "replace"))
        for name, value in json_object(request).values.items()
        if isinstance(value, str | int | float)
    ]
    return Form((*pairs, *_query_pairs(request)), fold=True, last=True)


_TYPES: Final = {str: "a string", int: "an integer", list: "a list", dict: "an object", bool: "true or false"}


class JsonObject:
    """A JSON object whose keys are matched ignoring case. Missing and null are the same; a wrong type is a 400."""

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self.values = values
        self._folded = {key.lower(): value for key, value in values.items()}
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._folded.get(name.lower()) is not None

    def raw(self, name: str) -> Any:
        """The value as JSON gave it, None where it is missing."""
        return self._folded.get(name.lower())

    def _typed(self, name: str, kind: type) -> Any:
        value = self.raw(name)
        if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise BadRequest("request failed validation", [f"field '{self._path}{name}' must be {_TYPES[kind]}"])
        return value

    def get(self, name: str, default: str = "") -> str:
        """A string.

        Raises:
            BadRequest: another type.
        """
        value: str | None = self._typed(name, str)
        return default if value is None else value

    def scalar(self, name: str, default: str = "") -> str:
        """A string or a number as text: for ids that aggregators write either way.

        Raises:
            BadRequest: another type.
        """
        value = self.raw(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return self.get(name, default)

    def first_of(self, *names: str) -> str:
        """The first of the strings `names` that is not empty, else ""."""
        return next(filter(None, map(self.get, names)), "")

    def integer(self, name: str) -> int | None:
        """An integer; None where it is missing.

        Raises:
            BadRequest: another type (a quoted number too), or more than 64 bits.
        """
        value: int | None = self._typed(name, int)
        if value is not None and abs(value) > MAX_INTEGER:
            raise BadRequest("request failed validation", [f"field '{self._path}{name}' must be an integer"])
        return value

    def boolean(self, name: str) -> bool:
        """True or false; false where it is missing."""
        return bool(self._typed(name, bool))

    def object(self, name: str) -> JsonObject:
        """An object; an empty one where it is missing."""
        return JsonObject(self._typed(name, dict) or {}, f"{self._path}{name}.")

    def objects(self, name: str) -> list[JsonObject]:
        """A list of objects; empty where it is missing."""
        return _objects(self._typed(name, list) or [], self._path + name)

    def require_objects(self, name: str) -> list[JsonObject]:
        """A list of objects that is there, perhaps empty.

        Raises:
            BadRequest: missing, or another type.
        """
        if name not in self:
            raise BadRequest("request failed validation", [f"field '{self._path}{name}' required"])
        return self.objects(name)

    def strings(self, name: str) -> list[str]:
        """A list of strings; empty where it is missing."""
        values = self._typed(name, list) or []
        if not all(isinstance(value, str) for value in values):
            raise BadRequest("request failed validation", [f"field '{self._path}{name}' must be a list of strings"])
        return list(values)

    def require(self, *names: str, may_be_empty: Sequence[str] = ()) -> tuple[str, ...]:
        """The strings `names`, all of them present and (those in `may_be_empty` aside) not empty.

        Raises:
            BadRequest: naming every one that is missing, or another type.
        """
        values = tuple(self.get(name) for name in names)
        missing = [n for n, v in zip(names, values, strict=True) if not v and not (n in may_be_empty and n in self)]
        if missing:
            raise BadRequest("request failed validation", [f"field '{self._path}{n}' required" for n in missing])
        return values

    def require_integer(self, name: str) -> int:
        """An integer that is there and not 0.

        Raises:
            BadRequest: missing, 0 or another type.
        """
        value = self.integer(name)
        if not value:
            raise BadRequest("request failed validation", [f"field '{self._path}{name}' required"])
        return value


def _objects(values: list[Any], path: str) -> list[JsonObject]:
    if not all(isinstance(value, dict) for value in values):
        raise BadRequest("request failed validation", [f"field '{path}' must be a list of objects"])
    return [JsonObject(value, f"{path}[{index}].") for index, value in enumerate(values)]


def _json(request: Request) -> Any:
    if len(request.body) > MAX_BODY:
        raise BadRequest(f"body is over {MAX_BODY} octets")
    charset = charset_of(request)
    if not charset and 0 in request.body[:4]:  # UTF-16 or UTF-32 without a word of it
        charset = json.detect_encoding(request.body)
    text = decode(request.body, charset).removeprefix("\ufeff")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("unable to parse request JSON") from None


def json_object(request: Request) -> JsonObject:
    """The body as one JSON object."""
    value = _json(request)
    if not isinstance(value, dict):
        raise BadRequest("request JSON must be an object")
    return JsonObject(value)


def json_array(request: Request) -> list[JsonObject]:
    """The body as a JSON array of objects."""
    value = _json(request)
    if not isinstance(value, list):
        raise BadRequest("request JSON must be an array")
    return _objects(value, "")


def xml_root(request: Request, limit: int = MAX_BODY) -> Element:
    """Root element of the body; DTDs, entities and external references are refused (defusedxml)."""
    root = parse_xml(request.body[:limit])
    if root is None:
        raise BadRequest("unable to parse request XML")
    return root


def parse_xml(octets: bytes) -> Element | None:
    """Root element of a document, read as `xml_root` reads; None where it is not well-formed or carries a DTD."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root: Element = ElementTree.fromstring(octets, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return None
    return root


def local_name(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def child_text(parent: Element, name: str) -> str:
    """Text of the first child called `name`, whatever its namespace; "" where there is none."""
    return next(("".join(child.itertext()) for child in parent if local_name(child) == name), "")
