"""Masking secrets in whatever is kept of an exchange, in every form in which a protocol may have written them.

A secret leaves the code as it is, percent-encoded (once or more often, in either case, space as `+`), JSON- or
XML-escaped, or inside Base64 (Basic authentication, RFC 7617). So each of its characters is matched in any of these
forms, and nothing needs to know how a request was built. Masking comes before cutting: half a secret is still one.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

MASK: Final = "*" * 10
CUT: Final = "..."
MAX_URL: Final = 2048  # characters kept of a URL, and
MAX_BODY: Final = 50_000  # of a request or response: RapidPro's channel logs keep as much

# Headers whose whole value is a credential, whoever made it (RFC 9110 section 11, and the field's own)
SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "apikey",
        "api-key",
        "x-api-key",
        "x-api-token",
        "x-auth-token",
        "x-access-token",
    }
)

# Repeats are bounded: a hostile answer full of backslashes must not make matching quadratic.
_PERCENT: Final = "%(?:25){0,3}"  # encoded once, or again as part of another URL
_BACKSLASH: Final = rf"(?:\\|{_PERCENT}5[Cc]){{1,8}}"
_AMPERSAND: Final = f"(?:&|{_PERCENT}26)"
_ENTITY: Final = rf"{_AMPERSAND}(?:amp(?:;|{_PERCENT}3[Bb])){{0,3}}"  # & itself, escaped as often as it may be
_HASH: Final = f"(?:#|{_PERCENT}23)"
_SEMICOLON: Final = f"(?:;|{_PERCENT}3[Bb])"
_NAMED: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT: Final = {  # JSON's two-character escapes (RFC 8259 section 7): what follows the backslash
    '"': f'(?:"|{_PERCENT}22)',
    "\\": rf"(?:\\|{_PERCENT}5[Cc])",
    "/": f"(?:/|{_PERCENT}2[Ff])",
    "\n": "n",
    "\r": "r",
    "\t": "t",
    "\b": "b",
    "\f": "f",
}
_LOOK_AHEAD: Final = 32_768  # characters: longer than any written form of a secret
_THOROUGH_UP_TO: Final = 64  # characters
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ALIGNED_MIN: Final = 8  # Base64 characters: shorter would mask chance matches


def _hex(octet: int) -> str:
    """Two hex digits in either case."""
    return "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in f"{octet:02X}")


def _character(character: str) -> str:
    """Pattern of one character in any written form."""
    octets = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass")
    escapes = [f"u{_hex(units[i])}{_hex(units[i + 1])}" for i in range(0, len(units), 2)]
    forms = [
        "".join(_PERCENT + _hex(octet) for octet in octets),
        "".join(_BACKSLASH + escape for escape in escapes),
    ]
    if not character.isalnum():
        code = ord(character)
        forms.append(f"{_ENTITY}{_HASH}0{{0,4}}{code}{_SEMICOLON}")
        forms.append(f"{_ENTITY}{_HASH}[xX]0{{0,4}}{''.join(f'[{d}{d.upper()}]' for d in f'{code:x}')}{_SEMICOLON}")
        if character == " ":
            forms.append(rf"(?:\+|{_PERCENT}2[Bb])")
        if character in _NAMED:
            forms.append(_ENTITY + _NAMED[character] + _SEMICOLON)
        if character in _SHORT:
            forms.append(_BACKSLASH + _SHORT[character])
    forms.append(re.escape(character))  # last: it is also how some of the others begin
    return f"(?:{'|'.join(forms)})"


_character_of: Final = functools.cache(_character)


def _pattern(secret: str) -> str:
    """Pattern of a text in any written form.

    Nothing has a reason to escape RFC 3986's unreserved characters. In a password they are looked for escaped all the
    same; in a long text (a token, Base64) they are literals, since compiling a form of each would take a second.
    """
    literal = _UNRESERVED if len(secret) > _THOROUGH_UP_TO else frozenset()
    return "".join(re.escape(one) if one in literal else _character_of(one) for one in secret)


def _base64_forms(octets: bytes) -> set[str]:
    """The secret alone in Base64, and the part of it that any longer text's Base64 must contain, at each alignment."""
    forms = {base64.b64encode(octets).decode("ascii")}
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + octets).decode("ascii")
        first = (offset * 8 + 5) // 6  # characters before it are touched by what precedes the secret
        end = (offset + len(octets)) * 8 // 6  # and those from here on by what follows it
        core = whole[first:end]
        if len(core) >= _ALIGNED_MIN:
            forms.add(core)
    return forms | {form.translate(str.maketrans("+/", "-_")) for form in forms}


@functools.lru_cache(maxsize=64)
def _compiled(secrets: frozenset[str]) -> re.Pattern[str]:
    """The pattern of some secrets in any form. Kept: a sender has the same ones with every message."""
    forms = {secret: _pattern(secret) for secret in secrets}
    for secret in secrets:
        for form in _base64_forms(secret.encode("utf-8", "surrogatepass")):
            forms.setdefault(form, "".join(one if one.isalnum() else _character_of(one) for one in form))
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    starts = {form[0] for form in forms}
    first = "".join(sorted({re.escape(start) for start in starts} | {"%", r"\\", "&", r"\+"}))
    # the look-ahead skips most positions at the price of one comparison
    return re.compile(f"(?=[{first}])(?:{'|'.join(forms[form] for form in longest_first)})")


class Redactor:
    """Masks a set of secrets. Calling it with a text gives the text with ten asterisks for each."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._regex: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Mask these too, e.g. a token that has just been fetched. Empty ones are passed over."""
        self._secrets.update(secret for secret in map(str, secrets) if secret)
        self._regex = None

    def add_basic(self, user: str, password: str) -> None:
        """Mask a password, and the Base64 of `user:password`."""
        self.add(password, base64.b64encode(f"{user}:{password}".encode()).decode("ascii"))

    def __call__(self, text: str) -> str:
        if not self._secrets:
            return text
        if self._regex is None:
            self._regex = _compiled(frozenset(self._secrets))
        return self._regex.sub(MASK, text)

    def kept(self, text: str, limit: int) -> str:
        """The text masked, then cut to `limit` characters. Of a very long one only what can be kept is looked at."""
        ahead = limit + _LOOK_AHEAD
        if len(text) <= ahead:
            return cut(self(text), limit)
        return cut(self(text[:ahead])[:-_LOOK_AHEAD], limit - len(CUT)) + CUT  # a secret cut at the edge goes with it

    def header(self, name: str, value: str) -> str:
        """A header's value, masked whole where its name says that it is a credential; a scheme is kept."""
        if name.lower() not in SECRET_HEADERS:
            return self(value)
        scheme, space, rest = value.partition(" ")
        return f"{scheme} {MASK}" if space and rest and scheme.isalpha() and len(scheme) <= 10 else MASK


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, ending in "..." where there were more."""
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


_NAMED_SECRET: Final = re.compile(
    r"(?i)[\w.-]*(?:key|token|secret|passw|pwd|pass\b|auth|signature)[\w.-]*[\"']?\s*(?:=|:|>)\s*[\"']?([^\"'&\s,;{}<>]+)"
)
_LOOKS_RANDOM: Final = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w.~-]{16,}")


@functools.lru_cache(maxsize=256)
def template_secrets(template: str) -> tuple[str, ...]:
    """What looks like a credential in a URL or body template: the values of parameters named key, token, password and
    the like, user and password before a host, and long path segments of letters and digits."""
    found = {match.group(1) for match in _NAMED_SECRET.finditer(template) if "{{" not in match.group(1)}
    if template.startswith(("http://", "https://")):
        try:
            parts = urlsplit(template)
            found |= {unquote(parts.password)} if parts.password else set()
        except ValueError:
            return tuple(sorted(found))
        found |= {segment for segment in parts.path.split("/") if _LOOKS_RANDOM.fullmatch(segment)}
    return tuple(sorted(found | {unquote(value) for value in found}))
