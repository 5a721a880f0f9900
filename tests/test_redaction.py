"""Secrets are masked in every form in which they can have been written, and before anything is cut."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from re import _parser as re_parser  # type: ignore[attr-defined]
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import redaction
from chalicelib.redaction import CUT, MASK, Redactor, cut, template_secrets

AWKWARD = "p&ss \"w\\rd/<é😀+ ~'"


def lower_percent(text: str) -> str:
    return "".join(f"%{octet:02x}" for octet in text.encode())


def basic(user: str) -> Callable[[str], str]:
    return lambda secret: base64.b64encode(f"{user}:{secret}".encode()).decode()


FORMS = [
    pytest.param(str, id="plain"),
    pytest.param(lambda s: quote(s, safe=""), id="percent"),
    pytest.param(lambda s: quote(s), id="percent-path"),
    pytest.param(quote_plus, id="form"),
    pytest.param(lower_percent, id="percent-lower-case"),
    pytest.param(lambda s: quote(quote_plus(s), safe=""), id="form-in-form"),
    pytest.param(lambda s: quote(quote(quote(s, safe=""), safe=""), safe=""), id="percent-thrice"),
    pytest.param(lambda s: json.dumps(s)[1:-1], id="json-ascii"),
    pytest.param(lambda s: json.dumps(s, ensure_ascii=False)[1:-1], id="json"),
    pytest.param(lambda s: json.dumps(s)[1:-1].replace("/", "\\/"), id="json-solidus"),
    pytest.param(lambda s: json.dumps(json.dumps(s))[1:-1], id="json-in-json"),
    pytest.param(lambda s: json.dumps(s)[1:-1].replace("<", "\\u003c").replace("&", "\\u0026"), id="json-html"),
    pytest.param(lambda s: quote_plus(json.dumps(s)[1:-1]), id="json-in-form"),
    pytest.param(html.escape, id="xml"),
    pytest.param(escape, id="xml-text"),
    pytest.param(lambda s: "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in s), id="xml-decimal"),
    pytest.param(lambda s: "".join(f"&#x{ord(c):X};" if not c.isalnum() else c for c in s), id="xml-hex"),
    pytest.param(lambda s: html.escape(html.escape(s)), id="xml-twice"),
    pytest.param(lambda s: quote_plus(html.escape(s)), id="xml-in-form"),
    pytest.param(lambda s: base64.b64encode(s.encode()).decode(), id="base64"),
    pytest.param(lambda s: base64.urlsafe_b64encode(s.encode()).decode(), id="base64-url"),
    pytest.param(lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""), id="base64-percent"),
]


@pytest.mark.parametrize("write", FORMS)
@pytest.mark.parametrize("secret", [AWKWARD, "s3cr3t-Value", "пароль", "a=b%41"])
def test_every_written_form_becomes_ten_asterisks(secret: str, write: Callable[[str], str]) -> None:
    masked = Redactor([secret])(f"before[{write(secret)}]after")
    assert masked.startswith("before[")
    assert masked.endswith("]after")
    assert masked.strip("beforat[]") in (MASK, f'\\"{MASK}\\"')


@pytest.mark.parametrize("user", ["u", "us", "use", "user"])
def test_a_password_inside_base64_is_masked_whatever_precedes_it(user: str) -> None:
    masked = Redactor([AWKWARD])(basic(user)(AWKWARD))
    core = base64.b64encode(b"\0" * ((len(user) + 1) % 3) + AWKWARD.encode()).decode()[4:-4]
    assert MASK in masked
    assert core not in masked


def test_basic_credentials_are_masked_whole() -> None:
    redactor = Redactor()
    redactor.add_basic("user", "pw")
    assert redactor(f"x {basic('user')('pw')} y") == f"x {MASK} y"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("Authorization", "Bearer abc.def", f"Bearer {MASK}", id="scheme-kept"),
        pytest.param("authorization", "abc", MASK, id="no-scheme"),
        pytest.param("X-API-Key", "abc def", f"abc {MASK}", id="looks-like-a-scheme"),
        pytest.param("Set-Cookie", "id=1; Path=/", MASK, id="cookie"),
        pytest.param("X-Other", "has hidden in it", f"has {MASK} in it", id="by-value"),
    ],
)
def test_headers(name: str, value: str, expected: str) -> None:
    assert Redactor(["hidden"]).header(name, value) == expected


def test_a_secret_that_begins_another_leaves_nothing_of_it() -> None:
    assert Redactor(["abc", "abcdef"])("x abcdef abc x") == f"x {MASK} {MASK} x"


def test_nothing_to_hide_changes_nothing() -> None:
    assert Redactor(["", ""])("a b") == "a b"


def test_secrets_learned_on_the_way_are_masked_too() -> None:
    redactor = Redactor(["one"])
    assert redactor("one two") == f"{MASK} two"
    redactor.add("two")
    assert redactor("one two") == f"{MASK} {MASK}"


@pytest.mark.parametrize(("limit", "expected"), [(5, "ab..."), (10, "abcdefghij"), (11, "abcdefghij")])
def test_cut(limit: int, expected: str) -> None:
    assert cut("abcdefghij", limit) == expected


def test_masking_comes_before_cutting() -> None:
    """A secret across the edge is not left by half, neither at the limit nor where a very long text is looked at."""
    secret = "s3cr3t-Value-of-some-length"
    for before in range(80, 100):
        assert "s3c" not in Redactor([secret]).kept("." * before + secret + "." * 50, 100)
    text = secret * 40_000
    kept = Redactor([secret]).kept(text, 100_000)
    assert set(kept.removesuffix(CUT)) == {"*"}


def test_a_hostile_answer_does_not_make_masking_quadratic() -> None:
    """No repeat in the pattern is without a bound, so that the work at one position is bounded too."""
    pattern = redaction._compiled(frozenset([AWKWARD, "a b"])).pattern

    def repeats(items: object) -> Iterator[int]:
        if isinstance(items, tuple) and len(items) == 3 and isinstance(items[0], int) and isinstance(items[1], int):
            yield items[1]
        if isinstance(items, list | tuple | re_parser.SubPattern):
            for item in items:
                yield from repeats(item)

    most = list(repeats(re_parser.parse(pattern)))
    assert most
    assert max(most) < 10


@settings(deadline=None)
@given(
    secret=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=4, max_size=30),
    noise=st.text(max_size=30),
)
def test_any_secret_is_masked_in_the_usual_forms(secret: str, noise: str) -> None:
    redactor = Redactor([secret])
    for form in (secret, quote_plus(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], html.escape(secret)):
        masked = redactor(f"{noise}[{form}]")
        assert MASK in masked
        assert form not in masked


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("https://h.example/send?api_key=abc%20d&to={{to}}", {"abc%20d", "abc d"}, id="query"),
        pytest.param("https://u:p%26w@h.example/x", {"p&w"}, id="userinfo"),
        pytest.param("https://h.example/hooks/T00000000000000abc/x", {"T00000000000000abc"}, id="path"),
        pytest.param('{"token": "zzz", "text": {{text}}}', {"zzz"}, id="json"),
        pytest.param("<password>pp</password><t>{{text}}</t>", {"pp"}, id="xml"),
        pytest.param("user=acme&type=sms&text={{text}}", set(), id="nothing"),
        pytest.param("token={{uuid}}", set(), id="a-variable-is-none"),
    ],
)
def test_credentials_in_templates(template: str, expected: set[str]) -> None:
    assert set(template_secrets(template)) == expected
