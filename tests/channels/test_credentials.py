"""What each aggregator is asked to see whether it knows us, and what its answers mean."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import responses

from chalicelib import aws as clients
from chalicelib import channels
from chalicelib.registry import Aggregator
from cli import credentials
from cli.output import Problem
from tests.cli.conftest import Jangada
from tests.cli.conftest import cli as cli
from tests.support import Aws

USER = {"username": "acme", "password": "hunter2-secret"}
KEY = {"api_key": "hunter2-secret"}


def basic(user: str, password: str = "hunter2-secret") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# code, config, URL, headers, answer, what it tells
TWILIO = {"account_sid": "AC1", "auth_token": "hunter2-secret"}
ACCOUNT = {"status": "active", "friendly_name": "Acme", "type": "Full"}
MONEY = {"balance": 12.5, "currency": "EUR"}
SAID = {"balance": "12.5", "currency": "EUR"}
TABLE: list[tuple[str, dict[str, str], str, dict[str, str], Any, dict[str, str]]] = [
    ("AT", {"username": "acme", **KEY}, "https://api.africastalking.com/version1/user?username=acme",
     {"apikey": "hunter2-secret"}, {"UserData": {"balance": "KES 1785.50"}}, {"balance": "KES 1785.50"}),
    ("BKS", USER, "https://api.bulksms.com/v1/profile", basic("acme"),
     {"username": "acme", "credits": {"balance": 12.5}}, {"user": "acme", "credits": "12.5"}),
    ("BRV", KEY, "https://api.brevo.com/v3/account", {"api-key": "hunter2-secret"}, {"companyName": "Acme"},
     {"company": "Acme"}),
    ("BS", USER, "https://api.transmitsms.com/get-balance.json", basic("acme"), MONEY, SAID),
    ("CS", USER, "https://rest.clicksend.com/v3/account", basic("acme"),
     {"data": {"balance": "12.5", "_currency": {"currency_name_short": "EUR"}}}, SAID),
    ("CT", KEY, "https://platform.clickatell.com/public-client/balance", {"Authorization": "hunter2-secret"},
     MONEY, SAID),
    ("ELK", USER, "https://api.46elks.com/a1/me", basic("acme"), {"displayname": "Acme", **MONEY},
     {"name": "Acme", **SAID}),
    ("GWA", {"auth_token": "hunter2-secret"}, "https://gatewayapi.com/rest/me", basic("hunter2-secret", ""),
     {"credit": 12.5, "currency": "EUR", "id": 7}, SAID),
    ("IB", KEY, "https://api.infobip.com/account/1/balance", {"Authorization": "App hunter2-secret"}, MONEY, SAID),
    ("IB", USER, "https://api.infobip.com/account/1/balance", basic("acme"), MONEY, SAID),
    ("MBD", {"auth_token": "hunter2-secret"}, "https://rest.messagebird.com/balance",
     {"Authorization": "AccessKey hunter2-secret"}, {"payment": "prepaid", "type": "credits", "amount": 9},
     {"balance": "9", "unit": "credits", "payment": "prepaid"}),
    ("NX", {"nexmo_api_key": "k", "nexmo_api_secret": "hunter2-secret"}, "https://rest.nexmo.com/account/get-balance",
     basic("k"), {"value": 10.28, "autoReload": False}, {"balance": "10.28"}),
    ("PL", {"PLIVO_AUTH_ID": "MA1", "PLIVO_AUTH_TOKEN": "hunter2-secret", "PLIVO_APP_ID": "1"},
     "https://api.plivo.com/v1/Account/MA1/", basic("MA1"),
     {"name": "Acme", "cash_credits": "12.5", "state": None}, {"name": "Acme", "balance": "12.5"}),
    ("SVN", KEY, "https://gateway.seven.io/api/balance", {"X-Api-Key": "hunter2-secret"},
     {"amount": 12.5, "currency": "EUR"}, SAID),
    ("SW", {**TWILIO, "base_url": "https://acme.signalwire.com/api/laml"},
     "https://acme.signalwire.com/api/laml/2010-04-01/Accounts/AC1.json", basic("AC1"), ACCOUNT,
     {"status": "active", "name": "Acme", "type": "Full"}),
    ("T", TWILIO, "https://api.twilio.com/2010-04-01/Accounts/AC1.json", basic("AC1"), ACCOUNT,
     {"status": "active", "name": "Acme", "type": "Full"}),
    ("TLX", KEY, "https://api.telnyx.com/v2/balance", {"Authorization": "Bearer hunter2-secret"},
     {"data": {"balance": "12.5", "currency": "EUR"}}, SAID),
    ("TMS", {**TWILIO, "messaging_service_sid": "MG1"}, "https://api.twilio.com/2010-04-01/Accounts/AC1.json",
     basic("AC1"), ACCOUNT, {"status": "active", "name": "Acme", "type": "Full"}),
    ("TRM", KEY, "https://api.ng.termii.com/api/get-balance?api_key=hunter2-secret", {}, MONEY, SAID),
    ("VMS", {"api_key": "k", "api_secret": "hunter2-secret"}, "https://rest.nexmo.com/account/get-balance",
     basic("k"), {"value": 10.28}, {"balance": "10.28"}),
]  # fmt: skip
CASES = [pytest.param(*row, id=f"{row[0]}-{index}") for index, row in enumerate(TABLE)]
WHICH = ("code", "config", "url", "headers", "answer", "told")


def test_every_check_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == set(credentials.CHECKS)


@pytest.mark.parametrize(WHICH, CASES)
def test_a_known_login(
    code: str, config: dict[str, str], url: str, headers: dict[str, str], answer: Any, told: dict[str, str]
) -> None:
    with responses.RequestsMock() as http:
        http.get(url, json=answer, match=[responses.matchers.header_matcher(headers)])
        verdict = credentials.ask(made(code, config))
    assert (verdict.state, verdict.status, dict(verdict.told)) == ("good", 200, told)
    assert verdict.called.startswith(f"GET {url.partition('?')[0]}")
    assert "hunter2" not in repr(verdict)


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize(WHICH, CASES)
def test_an_unknown_login(
    code: str, config: dict[str, str], url: str, headers: dict[str, str], answer: Any, told: dict[str, str], status: int
) -> None:
    with responses.RequestsMock() as http:
        http.get(url, status=status, body="hunter2-secret is wrong")
        verdict = credentials.ask(made(code, config))
    assert (verdict.state, verdict.status) == ("refused", status)
    assert credentials.CHECKS[code].keys[0] in verdict.means
    assert "hunter2" not in repr(verdict)


@pytest.mark.parametrize(
    ("reply", "state", "says"),
    [
        pytest.param({"status": 429}, "unknown", "try again", id="too-fast"),
        pytest.param({"status": 503}, "unknown", "try again", id="in-trouble"),
        pytest.param({"status": 400, "json": {}}, "unknown", "another reason than the login", id="bad-request"),
        pytest.param({"body": "<html>"}, "unknown", "not the documented one", id="not-json"),
        pytest.param({"json": {"x": 1}}, "unknown", "not the documented one", id="another-answer"),
        pytest.param({"json": {"status": "suspended"}}, "refused", "the account is suspended", id="suspended"),
        pytest.param({"body": ConnectionError("hunter2-secret")}, "unknown", "connection_failed", id="no-connection"),
    ],
)
def test_other_answers(reply: dict[str, Any], state: str, says: str) -> None:
    with responses.RequestsMock() as http:
        http.get("https://api.twilio.com/2010-04-01/Accounts/AC1.json", **reply)
        verdict = credentials.ask(made("T", TWILIO))
    assert verdict.state == state
    assert says in verdict.means
    assert "hunter2" not in repr(verdict)


def test_seven_refuses_with_200() -> None:
    with responses.RequestsMock() as http:
        http.get("https://gateway.seven.io/api/balance", body="900")
        assert credentials.ask(made("SVN", KEY)).state == "refused"


def test_vonage_has_none_for_an_application() -> None:
    config = {"application_id": "a", "private_key": "hunter2-secret"}
    with pytest.raises(Problem, match="API key and secret only"):
        credentials.ask(made("VMS", config))


def test_a_secret_that_is_not_given_is_named() -> None:
    account = Aggregator(name="at-ug", type="AT", config={"username": "acme"}, secrets=("api_key",))
    with pytest.raises(Problem, match="jangada aggregator secret at-ug api_key"):
        credentials.channel_of(account, {})


def made(code: str, config: dict[str, str]) -> Any:
    hidden = {key: value for key, value in config.items() if key in channels.load(code).Config.secret_keys()}
    shown = {key: value for key, value in config.items() if key not in hidden}
    account = Aggregator(name="x", type=code, config=shown, secrets=tuple(hidden))
    return credentials.channel_of(account, hidden)


@pytest.mark.parametrize(
    ("status", "exits", "says"),
    [
        pytest.param(200, 0, "at-ug: good: the aggregator knows this login, balance KES 9", id="good"),
        pytest.param(401, 1, "does not know such a login: check username, api_key", id="refused"),
    ],
)
def test_the_command(aws: Aws, cli: Jangada, status: int, exits: int, says: str) -> None:
    aws.aggregator("at-ug", "AT", config={"username": "acme"}, secrets={"api_key": "hunter2-secret"})
    with responses.RequestsMock() as http:
        http.add_passthru(str(clients.sqs().url).rstrip("/"))
        answer = {"UserData": {"balance": "KES 9"}}
        http.get("https://api.africastalking.com/version1/user?username=acme", status=status, json=answer)
        ran = cli("aggregator", "check", "--credentials", "at-ug")
    assert (ran.status, says in ran.out) == (exits, True), ran.out + ran.err
    assert f"GET https://api.africastalking.com/version1/user?username=acme -> {status}" in ran.out
    assert "hunter2" not in ran.out + ran.err


def test_a_type_without_such_a_request_is_said_to_have_none(aws: Aws, cli: Jangada) -> None:
    aws.aggregator("own", "EX", config={"send_url": "https://x.example.org"})
    aws.aggregator("mtn", "SMPP", config={"host": "10.0.0.1"})
    ran = cli("aggregator", "check", "own", "mtn", "--credentials")
    assert ran.status == 1
    assert "own: EX has no harmless request for this that we know of: try `jangada channel test`" in ran.out
    assert "mtn: SMPP has no harmless request for this that we know of: try `jangada smsc`" in ran.out
    assert "2 of 2 not verified" in ran.err
