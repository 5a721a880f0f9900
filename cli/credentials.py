"""`jangada aggregator check NAME --credentials`: one harmless request that tells whether the aggregator knows us.

It asks for the account or its balance: nothing is sent, nothing changes, nothing is charged. Each entry of `CHECKS`
cites the page that documents the request; a type that is not in it has none that we know of, and the command says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from cli.output import Problem

if TYPE_CHECKING:
    from chalicelib.channels.base import HttpChannel
    from chalicelib.registry import Aggregator
    from chalicelib.transport import Response


@dataclass(frozen=True)
class Ask:
    """The request, and where its answer tells what: name -> path in the JSON body. The first must be there."""

    url: str
    tells: Mapping[str, tuple[str | int, ...]]
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None


@dataclass(frozen=True)
class Check:
    """How a type is asked. `keys` are what an unknown login is due to; `docs` is where the request is documented."""

    docs: str
    keys: tuple[str, ...]
    ask: Callable[[Any], Ask]  # of the channel, whose config has the type's own keys
    well: tuple[str, ...] = ()  # values of the first thing told that say that the account may be used; (): any
    refusals: tuple[str, ...] = ()  # whole bodies that refuse with 200


@dataclass(frozen=True)
class Verdict:
    """What came of it. `called` is the request without its secrets; `means` says it in words."""

    state: Literal["good", "refused", "unknown"]
    called: str
    status: int
    means: str
    told: Mapping[str, str] = field(default_factory=dict)


def _base(channel: Any) -> str:
    return str(channel.config.base_url).rstrip("/")


def _twilio(channel: Any) -> Ask:
    config = channel.config
    return Ask(
        f"{channel.base_url}/2010-04-01/Accounts/{quote(config.account_sid, safe='')}.json",
        {"status": ("status",), "name": ("friendly_name",), "type": ("type",)},
        auth=(config.account_sid, str(config.auth_token)),
    )


def _africas_talking(channel: Any) -> Ask:
    url = channel.config.send_url.rstrip("/").removesuffix("/messaging") + "/user"
    headers = {"Accept": "application/json", "apikey": str(channel.config.api_key)}
    return Ask(url, {"balance": ("UserData", "balance")}, headers, {"username": channel.config.username})


def _infobip(channel: Any) -> Ask:
    config, headers, auth = channel.config, {"Accept": "application/json"}, None
    if config.api_key:
        headers["Authorization"] = f"App {config.api_key}"
    else:
        auth = (config.username, str(config.password))
    return Ask(f"{_base(channel)}/account/1/balance", _MONEY, headers, auth=auth)


def _nexmo(channel: Any) -> Ask:
    config = channel.config
    return Ask(_VONAGE, {"balance": ("value",)}, auth=(config.nexmo_api_key, str(config.nexmo_api_secret)))


def _vonage(channel: Any) -> Ask:
    config = channel.config
    if not (config.api_key and config.api_secret):
        raise Problem("Vonage has such a request for an API key and secret only: this account has an application's key")
    return Ask(_VONAGE, {"balance": ("value",)}, auth=(config.api_key, str(config.api_secret)))


def _user_and_password(path: str, tells: Mapping[str, tuple[str | int, ...]], host: str = "") -> Callable[[Any], Ask]:
    def ask(channel: Any) -> Ask:
        config = channel.config
        return Ask((host or _base(channel)) + path, tells, auth=(config.username, str(config.password)))

    return ask


def _plivo(channel: Any) -> Ask:
    config = channel.config
    return Ask(
        f"https://api.plivo.com/v1/Account/{quote(config.PLIVO_AUTH_ID, safe='')}/",
        {"name": ("name",), "balance": ("cash_credits",), "state": ("state",)},
        auth=(config.PLIVO_AUTH_ID, str(config.PLIVO_AUTH_TOKEN)),
    )


def _with_header(
    url: str, header: str, key: str, tells: Mapping[str, tuple[str | int, ...]], scheme: str = ""
) -> Callable[[Any], Ask]:
    """A path after the account's base URL, or a URL; the secret `key` goes into a header."""

    def ask(channel: Any) -> Ask:
        where = _base(channel) + url if url.startswith("/") else url
        secret = str(getattr(channel.config, key))
        return Ask(where, tells, {"Accept": "application/json", header: scheme + secret})

    return ask


def _gatewayapi(channel: Any) -> Ask:
    tells: dict[str, tuple[str | int, ...]] = {"balance": ("credit",), "currency": ("currency",)}
    return Ask(f"{_base(channel)}/rest/me", tells, auth=(str(channel.config.auth_token), ""))


def _termii(channel: Any) -> Ask:
    return Ask(f"{_base(channel)}/api/get-balance", _MONEY, params={"api_key": str(channel.config.api_key)})


_MONEY: Final[Mapping[str, tuple[str | int, ...]]] = {"balance": ("balance",), "currency": ("currency",)}
_VONAGE: Final = "https://rest.nexmo.com/account/get-balance"
_TWILIO: Final = Check(
    "https://www.twilio.com/docs/iam/api/account", ("account_sid", "auth_token"), _twilio, well=("active",)
)

CHECKS: Final[dict[str, Check]] = {
    "AT": Check(
        "https://developers.africastalking.com/docs/application/overview", ("username", "api_key"), _africas_talking
    ),
    "BKS": Check(
        "https://www.bulksms.com/developer/json/v1/#tag/Profile",
        ("username", "password"),
        _user_and_password("/profile", {"user": ("username",), "credits": ("credits", "balance")}),
    ),
    "BRV": Check(
        "https://developers.brevo.com/reference/getaccount",
        ("api_key",),
        _with_header("/account", "api-key", "api_key", {"company": ("companyName",)}),
    ),
    "BS": Check(
        "https://developer.transmitsms.com/#get-balance",
        ("username", "password"),
        _user_and_password("/get-balance.json", _MONEY, "https://api.transmitsms.com"),
    ),
    "CS": Check(
        "https://developers.clicksend.com/docs/#get-account",
        ("username", "password"),
        _user_and_password(
            "/v3/account",
            {"balance": ("data", "balance"), "currency": ("data", "_currency", "currency_name_short")},
            "https://rest.clicksend.com",
        ),
    ),
    "CT": Check(
        "https://docs.clickatell.com",
        ("api_key",),
        _with_header("https://platform.clickatell.com/public-client/balance", "Authorization", "api_key", _MONEY),
    ),
    "ELK": Check(
        "https://46elks.com/docs/get-account",
        ("username", "password"),
        _user_and_password("/a1/me", {"name": ("displayname",), "balance": ("balance",), "currency": ("currency",)}),
    ),
    "GWA": Check("https://gatewayapi.com/docs/apis/rest/", ("auth_token",), _gatewayapi),
    "IB": Check(
        "https://www.infobip.com/docs/api/platform/account-management/get-account-balance",
        ("api_key", "username", "password", "base_url"),
        _infobip,
    ),
    "MBD": Check(
        "https://developers.messagebird.com/api/balance/",
        ("auth_token",),
        _with_header(
            "https://rest.messagebird.com/balance",
            "Authorization",
            "auth_token",
            {"balance": ("amount",), "unit": ("type",), "payment": ("payment",)},
            "AccessKey ",
        ),
    ),
    "NX": Check("https://developer.vonage.com/en/api/account", ("nexmo_api_key", "nexmo_api_secret"), _nexmo),
    "PL": Check("https://www.plivo.com/docs/account/api/account/", ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"), _plivo),
    "SVN": Check(
        "https://docs.seven.io/en/rest-api/endpoints/account#balance",
        ("api_key",),
        _with_header("/balance", "X-Api-Key", "api_key", {"balance": ("amount",), "currency": ("currency",)}),
        refusals=("900",),
    ),
    "SW": Check(
        "https://developer.signalwire.com/compatibility-api/", ("account_sid", "auth_token", "base_url"), _twilio,
        well=("active",),
    ),
    "T": _TWILIO,
    "TLX": Check(
        "https://developers.telnyx.com/docs/development/api-fundamentals/first-api-request",
        ("api_key",),
        _with_header(
            "/balance",
            "Authorization",
            "api_key",
            {"balance": ("data", "balance"), "currency": ("data", "currency")},
            "Bearer ",
        ),
    ),
    "TMS": _TWILIO,
    "TRM": Check("https://developers.termii.com/balance", ("api_key", "base_url"), _termii),
    "VMS": Check("https://developer.vonage.com/en/api/account", ("api_key", "api_secret"), _vonage),
}  # fmt: skip


# --- doing it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _AnyChannel:
    """The account is asked, whatever its channels."""

    type: str
    uuid: str = ""
    address: str = ""
    country: str = ""


def channel_of(account: Aggregator, secrets: Mapping[str, str]) -> HttpChannel:
    """A channel with the account's settings.

    Raises:
        chalicelib.channels.config.ConfigError: they cannot be used.
        Problem: a secret has not been given yet.
    """
    from chalicelib import channels

    missing = [key for key in account.secrets if key not in secrets]
    if missing:
        raise Problem(f"{missing[0]} is not given yet: `jangada aggregator secret {account.name} {missing[0]}`")
    named = {key: secrets[key] for key in account.secrets}
    return channels.make(_AnyChannel(account.type), {**account.config, **named}, "https://localhost")


def ask(channel: HttpChannel) -> Verdict:
    """Make the request of the channel's type, which must be in `CHECKS`."""
    from chalicelib.outcomes import NotAccepted
    from chalicelib.transport import Http

    check = CHECKS[channel.code]
    made = check.ask(channel)
    http = Http(channel.secrets(), allow_private=True)
    try:
        answer = http.get(made.url, params=made.params, headers=made.headers, auth=made.auth, judge=lambda _: None,
                          harmless=True)  # fmt: skip
    except NotAccepted as failure:
        return Verdict("unknown", _called(http), 0, f"{failure.reason}: nothing is known of the credentials")
    return _judged(check, made, answer, _called(http), http.redact)


def _called(http: Any) -> str:
    exchange = http.exchanges[0]
    return f"{exchange['method']} {exchange['url']}"


def _judged(check: Check, made: Ask, answer: Response, called: str, redact: Callable[[str], str]) -> Verdict:
    status, keys = answer.status, ", ".join(check.keys)
    if status in (401, 403, 404) or answer.text.strip() in check.refusals:
        return Verdict("refused", called, status, f"the aggregator does not know such a login: check {keys}")
    if status == 429 or status >= 500:
        return Verdict("unknown", called, status, "the aggregator has no answer at the moment: try again")
    told = {name: redact(str(value)) for name, path in made.tells.items() if (value := answer.pick(*path)) is not None}
    first = next(iter(made.tells))
    if not answer.ok or first not in told:
        what = "an answer that is not the documented one" if answer.ok else "refused for another reason than the login"
        return Verdict("unknown", called, status, f"{what}: see {check.docs}", told)
    if check.well and told[first] not in check.well:
        return Verdict("refused", called, status, f"the login is right, but the account is {told[first]}", told)
    return Verdict("good", called, status, "the aggregator knows this login", told)
