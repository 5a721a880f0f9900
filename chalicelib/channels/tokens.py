"""OAuth 2.0 access tokens (RFC 6749) for aggregators that give one for a login and want it with each message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.outcomes import ChannelDown, Temporary
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

_LIFE: Final = 3600.0  # seconds, where the answer has no expires_in (RFC 6749 section 5.1 leaves it open)

_T = TypeVar("_T")


def with_access_token(http: Http, url: str, form: Mapping[str, str], offer: Callable[[str], _T]) -> _T:
    """What `offer` gives with an access token: one that is kept until its end, and a new one where it is refused (401).

    `url` is the token endpoint; `form` is what is posted to it, with the login, so that a changed login has a token of
    its own.

    Raises:
        NotAccepted: from `offer`; or ChannelDown where the login is refused, Temporary and Throttled as ever.
    """
    account = "\n".join((url, *(f"{name}={value}" for name, value in form.items())))
    key = f"oauth:{hashlib.sha256(account.encode('utf-8', 'replace')).hexdigest()}"
    return http.with_token(key, lambda: _fetch(http, url, form), offer)


def _judge(response: Response) -> None:
    """A refused login is the account's trouble, and is told with 400 as well as 401 (RFC 6749 section 5.2)."""
    if 400 <= response.status < 500 and response.status != 429:
        code = response.pick_id("error") or str(response.status)
        raise ChannelDown("the aggregator refuses our login", code, credentials=True)
    judge(response)


def _fetch(http: Http, url: str, form: Mapping[str, str]) -> tuple[str, float]:
    answer = http.post(url, form=form, headers={"Accept": "application/json"}, judge=_judge, harmless=True)
    token, seconds = answer.pick_id("access_token"), answer.pick_id("expires_in")  # some write it as a string
    if not token:
        raise Temporary("the answer to the login holds no access_token")
    return token, float(seconds) if seconds.isascii() and seconds.isdigit() else _LIFE
