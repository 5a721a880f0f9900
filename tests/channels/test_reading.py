"""Reading requests: forms in both styles, JSON, XML, character sets, dates, signatures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta, timezone

import pytest

from chalicelib.channels import dates, signatures
from chalicelib.channels.reading import Form, JsonObject, child_text, local_name, parse_xml
from chalicelib.channels.request import BadRequest, Request
from tests.channels.support import Json, multipart, request

FORM = {"content-type": "application/x-www-form-urlencoded"}


def ask(body: bytes = b"", query: str = "", kind: str | None = FORM["content-type"]) -> Request:
    return request("AT", "receive", body, query=query, headers={} if kind is None else {"content-type": kind})


# --- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(Request.form, "query2", id="schema-last"),
        pytest.param(Request.plain_form, "body1", id="plain-first"),
        pytest.param(lambda asked: asked.query, "query2", id="query-only"),
    ],
)
def test_which_of_several_values_wins(read: Callable[[Request], Form], expected: str) -> None:
    assert read(ask(b"a=body1&a=body2", "a=query1&a=query2")).get("a") == expected


def test_multipart_comes_after_the_query() -> None:
    body, headers = multipart({"a": "part"})
    asked = request("AT", "receive", body, query="a=query", headers=headers)
    assert asked.form().get("a") == "part"
    assert asked.plain_form(multipart=True).get("a") == "query"
    assert asked.plain_form().get("a") == "query"


def test_names() -> None:
    asked = ask(b"From=x&from=y")
    assert asked.form().get("FROM") == "y"
    assert asked.plain_form().get("From") == "x"
    assert asked.plain_form().get("FROM", "none") == "none"
    assert list(asked.plain_form().items()) == [("From", "x"), ("from", "y")]


@pytest.mark.parametrize(
    ("body", "kind", "charset", "expected"),
    [
        pytest.param(b"t=tr%C3%A8s", FORM["content-type"], "", "très", id="utf-8"),
        pytest.param("t=très".encode(), FORM["content-type"], "", "très", id="raw-utf-8"),
        pytest.param(b"t=tr%E8s", FORM["content-type"] + "; charset=ISO-8859-1", "", "très", id="declared-latin-1"),
        pytest.param(b"t=tr\xe8s", FORM["content-type"], "latin-1", "très", id="known-latin-1"),
        pytest.param(b"t=%04%14%040", FORM["content-type"], "utf-16-be", "Да", id="utf-16"),
        pytest.param(b"t=%E8", FORM["content-type"], "", "\ufffd", id="invalid"),
        pytest.param(b"t=%C3%A8", FORM["content-type"] + '; charset="nonsense"', "", "è", id="unknown-charset"),
        pytest.param(b"t=x", None, "", "x", id="no-content-type"),
        pytest.param(b"t=x", "application/octet-stream", "", "x", id="octets"),
        pytest.param(b"t=x", "APPLICATION/X-WWW-FORM-URLENCODED", "", "x", id="upper-case"),
        pytest.param(b"t=x", "text/plain", "", "", id="text-is-no-form"),
        pytest.param(b"t=x", "application/json", "", "", id="json-is-no-form"),
        pytest.param(b"t=a+b%2Bc&", FORM["content-type"], "", "a b+c", id="plus"),
        pytest.param(b"t=100%", FORM["content-type"], "", "100%", id="bare-percent"),
        pytest.param(b"t=a=b", FORM["content-type"], "", "a=b", id="equals"),
        pytest.param(b"t", FORM["content-type"], "", "", id="no-value"),
    ],
)
def test_values(body: bytes, kind: str | None, charset: str, expected: str) -> None:
    assert ask(body, kind=kind).form(charset).get("t") == expected


def test_octets_are_kept() -> None:
    assert ask(b"t=%04%14\xff").form().octets("t") == b"\x04\x14\xff"
    assert ask().form().octets("t") is None


def test_what_is_required() -> None:
    form = ask(b"a=1&b=&c=0").form()
    assert form.require("a", "b", may_be_empty=["b"]) == ("1", "")
    with pytest.raises(BadRequest) as caught:
        form.require("a", "b", "x", may_be_empty=["x"])
    assert caught.value.fields == ("field 'b' required", "field 'x' required")
    with pytest.raises(BadRequest):
        form.require_integer("c")
    assert form.first_of("b", "x", "c") == "0"
    assert ("b" in form, "x" in form) == (True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7), (" -7 ", -7), ("+7", 7), ("", None), (str(2**63 - 1), 2**63 - 1)],
)
def test_integers(text: str, expected: int | None) -> None:
    assert Form((("n", text.encode()),)).integer("n") == expected


@pytest.mark.parametrize("text", ["x", "1.0", "1e3", "0x1", "-", "1_000", "٣", str(2**63), "9" * 5000, "nan"])
def test_no_integers(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Form((("n", text.encode()),)).integer("n")
    assert caught.value.fields == ("field 'n' must be an integer",)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=1&" * 1001, FORM["content-type"]),
        (b"--x\r\n", "multipart/form-data"),
        (b"--x\r\n\r\n\r\n" * 1001 + b"--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_forms_that_cannot_be_read(body: bytes, kind: str) -> None:
    with pytest.raises(BadRequest):
        ask(body, kind=kind).form()


def test_multipart_of_all_kinds() -> None:
    body = (
        b'preamble\r\n--x\r\nContent-Disposition: form-data; name="t"\r\nContent-Type: text/plain\r\n\r\n'
        b"line 1\r\nline 2\xc3\xa8\r\n"
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n\x00\xff\r\n'
        b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n"
        b'--x\r\ncontent-disposition: form-data; name="b64"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\naGk=\r\n--x--\r\n"
    )
    form = ask(body, kind="multipart/form-data; boundary=x").form()
    assert form.get("t") == "line 1\r\nline 2è"
    assert form.octets("f") == b"\x00\xff"
    assert form.get("b64") == "hi"


# --- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"Text":"\xc3\xa8"}', id="utf-8"),
        pytest.param(b'\xef\xbb\xbf{"Text":"\xc3\xa8"}', id="bom"),
        pytest.param('{"Text":"è"}'.encode("utf-16"), id="utf-16"),
        pytest.param('{"Text":"è"}'.encode("utf-16-be"), id="utf-16-be"),
        pytest.param(b'{"Text":"\\u00e8"}', id="escaped"),
    ],
)
def test_json_in_any_unicode(body: bytes) -> None:
    assert ask(body, kind="application/json").json().get("tEXT") == "è"
    assert ask(body, kind="text/plain").json().get("tEXT") == "è"


def test_json_in_a_declared_charset() -> None:
    assert ask(b'{"a":"\xe8"}', kind="application/json; charset=latin-1").json().get("a") == "è"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b"nope", b"[" * 99_999, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_no_json_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        ask(body).json()


def test_json_arrays() -> None:
    first, second = ask(b'[{"a":"1"},{"A":"2"}]').json_array()
    assert (first.get("a"), second.get("a")) == ("1", "2")
    for body in (b"{}", b"[1]", b"[[]]"):
        with pytest.raises(BadRequest):
            ask(body).json_array()


VALUES = JsonObject({"s": "x", "e": "", "n": 7, "f": 1.5, "t": True, "z": None, "o": {"A": "1"}, "l": ["a", "b"],
                     "os": [{"x": "1"}], "big": 2**70})  # fmt: skip


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda o: o.get("S"), "x"),
        (lambda o: o.get("z", "d"), "d"),
        (lambda o: o.get("e", "d"), ""),
        (lambda o: (o.scalar("n"), o.scalar("f"), o.scalar("s"), o.scalar("nope")), ("7", "1.5", "x", "")),
        (lambda o: (o.integer("n"), o.integer("z")), (7, None)),
        (lambda o: (o.boolean("t"), o.boolean("z")), (True, False)),
        (lambda o: (o.object("o").get("a"), o.object("z").get("a")), ("1", "")),
        (lambda o: (o.strings("l"), o.strings("z")), (["a", "b"], [])),
        (lambda o: [one.get("x") for one in o.objects("os")], ["1"]),
        (lambda o: ("z" in o, "e" in o, "nope" in o), (False, True, False)),
        (lambda o: o.first_of("nope", "e", "s"), "x"),
        (lambda o: o.require("s", "e", may_be_empty=["e"]), ("x", "")),
        (lambda o: o.require_integer("n"), 7),
    ],
)
def test_json_values(read: Callable[[JsonObject], object], expected: object) -> None:
    assert read(VALUES) == expected


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda o: o.get("n"), "field 'n' must be a string"),
        (lambda o: o.scalar("t"), "field 't' must be a string"),
        (lambda o: o.integer("s"), "field 's' must be an integer"),
        (lambda o: o.integer("t"), "field 't' must be an integer"),
        (lambda o: o.integer("f"), "field 'f' must be an integer"),
        (lambda o: o.integer("big"), "field 'big' must be an integer"),
        (lambda o: o.boolean("n"), "field 'n' must be true or false"),
        (lambda o: o.object("l"), "field 'l' must be an object"),
        (lambda o: o.object("o").integer("A"), "field 'o.A' must be an integer"),
        (lambda o: o.objects("l"), "field 'l' must be a list of objects"),
        (lambda o: o.objects("os")[0].integer("x"), "field 'os[0].x' must be an integer"),
        (lambda o: o.strings("os"), "field 'os' must be a list of strings"),
        (lambda o: o.require("s", "z"), "field 'z' required"),
        (lambda o: o.require_integer("z"), "field 'z' required"),
        (lambda o: o.require_objects("z"), "field 'z' required"),
    ],
)
def test_json_of_another_type(read: Callable[[JsonObject], object], why: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(VALUES)
    assert caught.value.fields == (why,)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        pytest.param(b"A=1&a=2", FORM["content-type"], "query", id="form"),
        pytest.param(b'{"A": "1", "b": 7}', "application/json; charset=utf-8", "query", id="json"),
    ],
)
def test_form_or_json(body: bytes, kind: str, expected: str) -> None:
    assert ask(body, "a=query", kind).form_or_json().get("a") == expected
    assert ask(body, "", kind).form_or_json().get("a") in ("1", "2")


def test_json_as_a_form_has_single_values() -> None:
    body = '{"t": "\\ud800 é", "n": 7, "f": 1.5, "yes": true, "none": null, "list": ["x"], "object": {"t": "y"}}'
    form = ask(body.encode(), kind="application/json").form_or_json()
    assert dict(form.items()) == {"t": "? é", "n": "7", "f": "1.5", "yes": "true"}
    with pytest.raises(BadRequest):
        ask(b"[", kind="application/json").form_or_json()


def test_the_body_as_text() -> None:
    assert ask(b"tr\xe8s", kind="text/plain; charset=latin-1").text() == "très"
    assert ask(b"\x04\x14", kind="text/plain").text("utf-16-be") == "Д"
    assert ask(b"\xff", kind="text/plain").text() == "\ufffd"


def test_parts_of_a_request() -> None:
    asked = request("AT", "x", Json({}), query="a=%2B1&b", headers={"X-One": "1"})
    assert (asked.header("x-ONE"), asked.header("nope", "d"), asked.raw_query) == ("1", "d", "a=%2B1&b")
    assert asked.path.endswith("/x")
    assert asked.query.get("A") == "+1"


# --- dates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (dates.rfc3339, "2026-03-01T10:11:12Z", 1_772_359_872_000),
        (dates.rfc3339, "2026-03-01T10:11:12.5Z", 1_772_359_872_500),
        (dates.rfc3339, "2026-03-01T10:11:12.123456789+02:00", 1_772_352_672_123),
        (dates.rfc3339, "2026-03-01T10:11:12.1234567891234-0330", 1_772_372_472_123),
        (dates.rfc3339, " 2026-03-01T10:11:12Z ", 1_772_359_872_000),
        (dates.utc_z, "2026-03-01T10:11:12Z", 1_772_359_872_000),
        (lambda text: dates.in_zone(text, "%d/%m/%y", "%Y%m%d%H%M%S"), "20260301101112", 1_772_359_872_000),
        (lambda text: dates.in_zone(text, "%Y-%m-%d %H:%M", zone=timezone(timedelta(hours=3))), "2026-03-01 13:11",
         1_772_359_860_000),
        (lambda text: dates.in_zone(text, "%Y-%m-%dT%H:%M:%S%z"), "2026-03-01T12:11:12+0200", 1_772_359_872_000),
        (lambda text: dates.epoch_seconds(int(text)), "1772359872", 1_772_359_872_000),
        (lambda text: dates.epoch_millis(int(text)), "1772359872001", 1_772_359_872_001),
        (dates.epoch_fraction, "1457670059.69", 1_457_670_059_690),
        (dates.epoch_fraction, "1457670059", 1_457_670_059_000),
        (dates.epoch_fraction, " 1457670059.1239 ", 1_457_670_059_123),
    ],
)  # fmt: skip
def test_dates(read: Callable[[str], int], text: str, expected: int) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *[(dates.rfc3339, text) for text in (
            "", "now", "2026-03-01", "2026-03-01 10:11:12Z", "2026-03-01T10:11:12", "2026-03-01T10:11Z",
            "2026-02-30T10:11:12Z", "2026-03-01T25:11:12Z", "2026-03-01T10:11:12+99:99", "0001-01-01T00:00:00+10:00",
            "1960-01-01T00:00:00Z", "٢026-03-01T10:11:12Z", "2026-03-01T10:11:12Z\n2026-03-01T10:11:12Z")],
        (dates.utc_z, "2026-03-01T10:11:12+00:00"),
        (lambda text: dates.in_zone(text, "%Y"), "soon"),
        (lambda text: dates.in_zone(text, "%Y %z"), "0001 +1000"),
        *[(lambda text: dates.epoch_seconds(int(text)), text) for text in ("0", "-1", "253402300800", "9" * 18)],
        *[(dates.epoch_fraction, text) for text in ("", "0", "soon", "1e9", "-1.5", "1.", "٢", "9" * 12)],
        *[(lambda text: dates.epoch_millis(int(text)), text) for text in ("0", "-1", "253402300800000")],
    ],
)  # fmt: skip
def test_bad_dates(read: Callable[[str], int], text: str) -> None:
    with pytest.raises(BadRequest, match="invalid date"):
        read(text)


def test_dates_that_may_be_unreadable() -> None:
    assert dates.if_readable(dates.utc_z, "2026-03-01T10:11:12Z") == 1_772_359_872_000
    assert dates.if_readable(dates.utc_z, "soon") is None


@pytest.mark.parametrize(("ms", "inside"), [(-300_000, True), (300_000, True), (-300_001, False), (300_001, False)])
def test_replay_window(ms: int, inside: bool) -> None:
    assert dates.within(1_000_000 + ms, 1_000_000, timedelta(minutes=5)) is inside


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inside"),
    [("1000", True), ("1300", True), ("700", True), ("1301", False), ("699", False), ("", False), ("soon", False)],
)
def test_timestamps_of_signatures(text: str, inside: bool) -> None:
    assert dates.recent(text, 1_000_000) is inside


def test_hmac_vectors() -> None:
    """RFC 4231 test case 2, RFC 2202 test case 2."""
    key, data = "Jefe", b"what do ya want for nothing?"
    sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signatures.hmac_of(key, data) == sha256
    assert signatures.hmac_valid(key, data, sha256.upper())
    assert signatures.hmac_valid(key.encode(), data, f" {sha256}\n")
    sha1 = "7/zfauXrL6LSdBbV8YTfnCWafHk="
    assert signatures.hmac_of(key, data, algorithm="sha1", encoding="base64") == sha1
    assert signatures.hmac_valid(key, data, sha1, algorithm="sha1", encoding="base64")


@pytest.mark.parametrize("given", ["", "0", "é", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3844"])
def test_hmac_refuses(given: str) -> None:
    assert not signatures.hmac_valid("Jefe", b"what do ya want for nothing?", given)


@pytest.mark.parametrize(("text", "expected"), [("aGk=", b"hi"), ("aGk", None), ("a!", None), ("é", None), ("", b"")])
def test_unbase64(text: str, expected: bytes | None) -> None:
    assert signatures.unbase64(text) == expected


WEBHOOK = (b"key", "msg_1", "1770000000", b'{"a":1}')


def test_standard_webhooks() -> None:
    good = "v1," + signatures.hmac_of(b"key", b'msg_1.1770000000.{"a":1}', encoding="base64")
    assert signatures.standard_webhook_valid(*WEBHOOK, good)
    assert signatures.standard_webhook_valid(*WEBHOOK, f"v1,AAAA v1a,BBBB {good}")
    assert not signatures.standard_webhook_valid(b"key", "msg_2", *WEBHOOK[2:], good)
    assert not signatures.standard_webhook_valid(*WEBHOOK[:2], "1770000001", WEBHOOK[3], good)
    assert not signatures.standard_webhook_valid(*WEBHOOK[:3], b'{"a":2}', good)
    for given in ("", "v1,", good.replace("v1,", "v2,"), good[3:], "é"):
        assert not signatures.standard_webhook_valid(*WEBHOOK, given)


HEADER, CLAIMS = '{"typ":"JWT","alg":"HS256"}', '{"exp":1300819380,"nbf":1300819000,"root":true}'
VALID_AT = 1_300_819_200_000


def token(header: str = HEADER, claims: str = CLAIMS, key: str = "k", algorithm: str = "sha256") -> str:
    def packed(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    signed = f"{packed(header)}.{packed(claims)}"
    digest = bytes.fromhex(signatures.hmac_of(key, signed.encode(), algorithm=algorithm))
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def test_jwt_vector() -> None:
    """The token that https://jwt.io shows."""
    shown = (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
        ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    )
    claims = {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}
    assert signatures.jwt_claims(shown, "your-256-bit-secret", VALID_AT) == claims
    assert signatures.jwt_claims(shown, "another", VALID_AT) is None


@pytest.mark.parametrize(("name", "algorithm"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_jwt_algorithms(name: str, algorithm: str) -> None:
    claims = signatures.jwt_claims(token(f'{{"alg":"{name}"}}', algorithm=algorithm), "k", VALID_AT)
    assert claims is not None
    assert claims["root"] is True


@pytest.mark.parametrize(
    ("given", "at"),
    [
        pytest.param(token(), 1_300_819_440_000, id="expired"),
        pytest.param(token(), 1_300_818_939_999, id="not-yet"),
        pytest.param(token('{"alg":"none"}'), VALID_AT, id="unsigned"),
        pytest.param(token('{"alg":"RS256"}'), VALID_AT, id="another-kind-of-key"),
        pytest.param(token('{"alg":"HS512"}'), VALID_AT, id="not-the-algorithm-it-names"),
        pytest.param(token('{"alg":["HS256"]}'), VALID_AT, id="algorithm-is-no-text"),
        pytest.param(token("[]"), VALID_AT, id="header-is-no-object"),
        pytest.param(token(claims="[]"), VALID_AT, id="claims-are-no-object"),
        pytest.param(token(claims='{"exp":"soon"}'), VALID_AT, id="exp-is-no-number"),
        pytest.param(token(claims='{"nbf":true}'), VALID_AT, id="nbf-is-no-number"),
        pytest.param(token().rpartition(".")[0] + ".", VALID_AT, id="signature-missing"),
        pytest.param("", VALID_AT, id="empty"),
        pytest.param("a.b", VALID_AT, id="two-segments"),
        pytest.param("é.é.é", VALID_AT, id="not-ascii"),
        pytest.param(token() + ".x", VALID_AT, id="four-segments"),
    ],
)
def test_jwt_refuses(given: str, at: int) -> None:
    assert signatures.jwt_claims(given, "k", at) is None


@pytest.mark.parametrize("at", [1_300_818_940_000, VALID_AT, 1_300_819_439_999])
def test_jwt_clocks_may_differ_by_a_minute(at: int) -> None:
    assert signatures.jwt_claims(token(), "k", at) is not None


# --- XML of answers -------------------------------------------------------------------------------------------------


def test_children_by_their_local_names() -> None:
    root = parse_xml(b'<r xmlns="urn:x"><a>1<b>2</b></a><a>3</a><c/></r>')
    assert root is not None
    assert local_name(root) == "r"
    assert [child_text(root, name) for name in ("a", "c", "A", "b")] == ["12", "", "", ""]


@pytest.mark.parametrize("octets", [b"", b"no", b"<a>", b"<!DOCTYPE a><a/>", b"\xff"])
def test_xml_that_cannot_be_read(octets: bytes) -> None:
    assert parse_xml(octets) is None
