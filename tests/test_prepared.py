"""`chalicelib.prepared` leaves out steps of `requests`, and changes nothing that goes out."""

from __future__ import annotations

import pytest
import requests

from chalicelib.prepared import prepared

HOST = "https://api.example.com"


@pytest.mark.parametrize(
    ("method", "url", "headers", "payload", "auth"),
    [
        pytest.param("POST", f"{HOST}/send", {"Content-Type": "text/plain"}, b"id=1", None, id="post"),
        pytest.param("POST", f"{HOST}/send", {}, None, None, id="post without a body"),
        pytest.param("POST", f"{HOST}/send", {}, b"", None, id="post of an empty body"),
        pytest.param("GET", f"{HOST}/send?to=%2B250&text=a b~c", {}, None, None, id="query"),
        pytest.param("get", f"{HOST}", {}, None, None, id="method in lower case, no path"),
        pytest.param("DELETE", f"{HOST}/a%2fb/ü", {}, None, None, id="path to be encoded"),
        pytest.param("GET", "http://bücher.example:8080/x", {}, None, None, id="IDNA"),
        pytest.param("GET", f"  {HOST}/x#part", {}, None, None, id="space before, fragment"),
        pytest.param("PUT", f"{HOST}/send", {}, b"x", ("Ü", "p:w"), id="basic"),
        pytest.param("GET", "https://me:pa%20ss@api.example.com/x", {}, None, None, id="basic in the URL"),
    ],
)
def test_as_requests_prepares_it(
    method: str, url: str, headers: dict[str, str], payload: bytes | None, auth: tuple[str, str] | None
) -> None:
    always = {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive"}
    octets = (auth[0].encode(), auth[1].encode()) if auth else None
    theirs = requests.Request(method, url, headers={**always, **headers}, data=payload, auth=octets).prepare()
    for _ in range(2):  # the second time from what is kept
        ours = prepared(method, url, headers, payload, auth)
        assert (ours.method, ours.url, ours.body or None) == (theirs.method, theirs.url, theirs.body or None)
        assert dict(ours.headers) == dict(theirs.headers)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("api.example.com/send", {}, id="no scheme"),
        pytest.param("http://", {}, id="no host"),
        pytest.param("http://*.example.com/", {}, id="no host name"),
        pytest.param(f"{HOST}/", {"X-Key": "a\r\nX-Other: b"}, id="a header with a line break"),
    ],
)
def test_what_cannot_be_sent(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(requests.RequestException):
        prepared("POST", url, headers, b"x", None)


def test_headers_that_latin_1_cannot_carry_go_as_utf_8() -> None:
    sent: dict[str, object] = dict(prepared("POST", f"{HOST}/", {"X-A": "é", "X-B": "✓"}, b"x", None).headers)
    assert (sent["X-A"], sent["X-B"]) == ("é", "✓".encode())
