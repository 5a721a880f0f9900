"""A request as `requests` has it ready to be sent, without the steps that find nothing to do here.

What a session would add (ours has nothing), cookies, and guesses at what kind of body it is cost a sixth of what a
request does; so does a URL that is the same for every message, and is looked at once. Imports `requests`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from requests import PreparedRequest

_ALWAYS_SENT: Final = {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive"}


def prepared(
    method: str, url: str, headers: Mapping[str, str], payload: bytes | None, auth: tuple[str, str] | None
) -> PreparedRequest:
    """The request, with the headers that are always sent.

    Raises:
        requests.RequestException: the URL or a header cannot be sent.
    """
    made = PreparedRequest()
    made.prepare_method(method)
    made.url = _normal(url) if "?" in url else _kept_normal(url)
    made.prepare_headers({**_ALWAYS_SENT, **_encodable(headers)})
    made.body = payload or None
    made.prepare_content_length(made.body)
    made.prepare_auth(_octets(auth))
    return made


def _normal(url: str) -> str | None:
    """The URL as it is sent: its host in IDNA, the rest percent-encoded where it has to be."""
    made = PreparedRequest()
    made.prepare_url(url, None)
    return made.url


_kept_normal: Final = functools.lru_cache(maxsize=256)(_normal)  # a query may hold text: no URL with one is kept


def _encodable(headers: Mapping[str, str]) -> dict[str, Any]:
    """Header values as http.client can send them: Latin-1, else their UTF-8 octets."""
    return {name: value if _is_latin(value) else value.encode("utf-8", "replace") for name, value in headers.items()}


def _octets(auth: tuple[str, str] | None) -> Any:
    """User and password as UTF-8 (RFC 7617 section 2.1); requests would take Latin-1."""
    return auth and (auth[0].encode(), auth[1].encode())


def _is_latin(text: str) -> bool:
    return text.isascii() or all(ord(character) < 256 for character in text)
