"""Access tokens that all processes share: one of them gets it, whatever they do at once and whatever of AWS is away."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws as clients
from chalicelib import clock, ledger_table, sending, tokens, transport
from chalicelib.outcomes import ChannelDown, NotAccepted, Temporary, Throttled
from chalicelib.settings import settings
from tests.lane import logged
from tests.support import CHANNEL, Aws
from tests.test_rates import put
from tests.web import Asked, Site, serve

HOUR = 3600.0


class Login:
    """A token endpoint: each login gives another token, and only the last one is worth anything."""

    def __init__(self) -> None:
        self.given = 0
        self.revoked: set[str] = set()
        self.open = threading.Event()
        self.open.set()
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> tuple[int, str]:
        if "token" in asked.path:
            self.open.wait(30)
            with self._lock:
                self.given += 1
                return 200, json.dumps({"access_token": f"tok-{self.given}", "expires_in": HOUR})
        if asked.headers["Authorization"].removeprefix("Bearer ") in self.revoked:
            return 401, "{}"
        return 200, json.dumps({"transactionId": f"x{len(self.revoked)}"})


@pytest.fixture
def login() -> Iterator[Login]:
    one = Login()
    yield one
    one.open.set()


@pytest.fixture
def site(aws: Aws, login: Login) -> Iterator[Site]:
    transport.reset()
    with serve(login) as running:
        yield running
        login.open.set()
    transport.reset()


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """ms by which the clock of the tokens is ahead."""
    by = [0]
    monkeypatch.setattr(tokens, "now_ms", lambda: clock.now_ms() + by[0])
    return by


class Fetch:
    """Gets tokens t1, t2, ... or raises what it is told to."""

    def __init__(self, life: float = HOUR) -> None:
        self.life, self.count = life, 0
        self.fails: NotAccepted | None = None

    def __call__(self) -> tuple[str, float]:
        if self.fails:
            raise self.fails
        self.count += 1
        return f"t{self.count}", self.life


def get(fetch: tokens.Fetch, refused: str = "", account: str = "acme") -> str:
    return tokens.get("login", fetch, account=account, refused=refused)


def another_process(fetch: tokens.Fetch, refused: str = "") -> str:
    """What a process that has kept nothing gets."""
    tokens.reset()
    return get(fetch, refused)


@pytest.fixture
def held(aws: Aws) -> Iterator[Callable[[int], None]]:
    """Another process is getting a token; the fixture changes until when it may (ms)."""
    tokens.reset()

    def until(ms: int) -> None:
        values = {":u": {"N": str(ms)}, ":o": {"S": "another"}}
        ledger_table.update("token#acme", "SET u = :u, o = :o", values)

    until(clock.now_ms() + 10**9)
    yield until
    tokens.reset()


@pytest.fixture
def fetch(aws: Aws) -> Iterator[Fetch]:
    tokens.reset()
    yield Fetch()
    tokens.reset()


# --- one of them gets it ------------------------------------------------------------------------------------------

# Prints the token it ends up with for each line of standard input: a URL whose messages want a token, and its account.
USER = """
import sys
from chalicelib.channels.tokens import with_access_token
from chalicelib.transport import Http
url = sys.argv[1]

def offer(token):
    http.post(url + "/messages", headers={"Authorization": "Bearer " + token})
    return token

for line in sys.stdin:
    print("asking", flush=True)
    http = Http(allow_private=True, account="acme")
    print(with_access_token(http, url + "/token", {"password": "p"}, offer), flush=True)
"""


class Users:
    """Several processes that send on one account."""

    def __init__(self, url: str) -> None:
        self._all = [
            subprocess.Popen(
                [sys.executable, "-c", USER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]

    def ask(self) -> None:
        """All of them want a token now."""
        for one in self._all:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        assert self._lines() == ["asking"] * len(self._all)

    def tokens(self) -> set[str]:
        """What they have got."""
        return set(self._lines())

    def end(self) -> None:
        for one in self._all:
            one.communicate(timeout=30)

    def _lines(self) -> list[str]:
        return [one.stdout.readline().strip() if one.stdout else "" for one in self._all]


def test_of_several_processes_one_gets_the_token_and_one_its_successor(site: Site, login: Login) -> None:
    users = Users(site.url)
    try:
        login.open.clear()
        users.ask()
        login.open.set()  # all have asked while nobody had one
        assert users.tokens() == {"tok-1"}
        login.revoked.add("tok-1")
        login.open.clear()
        users.ask()
        login.open.set()
        assert users.tokens() == {"tok-2"}
    finally:
        login.open.set()
        users.end()
    assert login.given == 2


def test_of_several_threads_one_gets_the_token(fetch: Fetch) -> None:
    together = threading.Barrier(10)

    def one(_: int) -> str:
        together.wait(20)
        return get(fetch)

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(one, range(10))) == {"t1"}
    assert fetch.count == 1


def test_of_several_refused_threads_one_gets_another(fetch: Fetch) -> None:
    assert get(fetch) == "t1"
    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(lambda _: get(fetch, refused="t1"), range(10))) == {"t2"}


def test_messages_of_different_runs_use_one_token(aws: Aws, site: Site, login: Login) -> None:
    """λ send on a channel type with OAuth; each run is in a process that has kept nothing."""
    config = {"api_host": site.url}
    aws.aggregator("fast", "MTN", lane="own", config=config, secrets={"api_key": "k", "auth_token": "s3cret"})
    aws.channel(type="MTN")
    for number in range(3):
        put(CHANNEL, str(number), f"+25078812312{number}")
        transport.reset()
        assert aws.run("lane-fast.fifo", sending.send) == []
    assert [asked.path for asked in site.asked] == ["/v1/oauth/access_token"] + ["/v2/messages/sms/outbound"] * 3


# --- its end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "after", "expected"),
    [
        pytest.param(3600.0, 3_539, "t1", id="good until a minute before its end"),
        pytest.param(3600.0, 3_541, "t2", id="then replaced"),
        pytest.param(60.0, 29, "t1", id="a short life: good for half of it"),
        pytest.param(60.0, 31, "t2", id="then replaced, too"),
        pytest.param(0.0, 0, "t2", id="without life"),
    ],
)
def test_a_token_is_used_by_all_until_shortly_before_its_end(
    fetch: Fetch, ahead: list[int], life: float, after: int, expected: str
) -> None:
    fetch.life = life
    assert get(fetch) == "t1"
    ahead[0] = after * 1000
    assert get(fetch) == expected
    assert another_process(fetch) == expected if life else fetch.count == 2


@pytest.mark.usefixtures("held")
def test_the_old_one_is_used_while_another_process_gets_the_new_one(aws: Aws, ahead: list[int]) -> None:
    one = Fetch(life=100.0)
    values = {":u": {"N": "0"}}
    ledger_table.update("token#acme", "SET u = :u", values)
    assert get(one) == "t1"
    ledger_table.update("token#acme", "SET u = :u", {":u": {"N": str(clock.now_ms() + 10**9)}})
    ahead[0] = 80_000
    assert get(one) == "t1"
    assert another_process(one) == "t1"  # from SSM
    assert one.count == 1


@pytest.mark.parametrize("trouble", [Temporary("no connection"), Throttled("too many logins", "429")])
def test_the_old_one_is_used_while_no_new_one_can_be_had(fetch: Fetch, ahead: list[int], trouble: NotAccepted) -> None:
    fetch.life = 100.0
    assert get(fetch) == "t1"
    fetch.fails = trouble
    ahead[0] = 80_000
    assert get(fetch) == "t1"
    ahead[0] = 95_000  # too late for a request to end in time
    with pytest.raises(type(trouble)):
        get(fetch)


def test_a_refused_login_is_told_at_once(fetch: Fetch, ahead: list[int]) -> None:
    fetch.life = 100.0
    get(fetch)
    fetch.fails = ChannelDown("the login is refused")
    ahead[0] = 80_000
    with pytest.raises(ChannelDown):
        get(fetch)
    fetch.fails = None
    assert get(fetch) == "t2"  # the lease was given back


@pytest.mark.usefixtures("held")
def test_who_has_none_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "WAIT", 0.3)
    one = Fetch()
    with pytest.raises(Temporary, match="another sender is getting the access token"):
        get(one)
    assert one.count == 0


def test_the_lease_of_a_process_that_was_killed_lapses(fetch: Fetch, held: Callable[[int], None]) -> None:
    held(clock.now_ms() + 500)
    assert get(fetch) == "t1"


# --- a refused one ------------------------------------------------------------------------------------------------


def test_a_refused_token_is_looked_for_in_ssm_before_another_is_got(fetch: Fetch) -> None:
    assert get(fetch) == "t1"
    mine = dict(tokens._kept)
    assert another_process(fetch) == "t1"
    assert get(fetch, refused="t1") == "t2"
    tokens.reset()
    tokens._kept.update(mine)
    assert get(fetch, refused="t1") == "t2"
    assert fetch.count == 2


def test_an_older_token_is_not_taken_for_a_refused_one(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSM may still show to one what has been replaced for another."""
    get(fetch)
    old = tokens._read("acme")
    get(fetch, refused="t1")
    shown = tokens._read
    answers = [old]
    monkeypatch.setattr(tokens, "_read", lambda account: answers.pop() if answers else shown(account))
    assert get(fetch, refused="t2") == "t3"


def test_what_ssm_does_not_show_yet_is_waited_for(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    get(fetch)
    shown = tokens._read
    late: list[tuple[dict[str, tokens.Token], int]] = [({}, 0)] * 3
    monkeypatch.setattr(tokens, "_read", lambda account: late.pop() if late else shown(account))
    assert another_process(fetch) == "t1"
    assert fetch.count == 1


# --- where it is kept ---------------------------------------------------------------------------------------------


def test_it_is_kept_encrypted_with_the_deployments_key_and_named_nowhere_else(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JANGADA_KMS_KEY", "alias/ours")
    settings.cache_clear()
    put_parameter = clients.ssm().put_parameter
    seen: list[dict[str, Any]] = []

    def put(**asked: Any) -> Any:
        seen.append(asked)
        return put_parameter(**asked)

    monkeypatch.setattr(clients.ssm(), "put_parameter", put)
    get(fetch)
    (asked,) = seen
    assert (asked["Name"], asked["Type"], asked["KeyId"]) == (
        "/jangada/local/tokens/acme",
        "SecureString",
        "alias/ours",
    )
    item = ledger_table.get("token#acme")
    assert item is not None
    assert "t1" not in json.dumps(item)


def of(text: str, life: float) -> tokens.Fetch:
    return lambda: (text, life)


def test_tokens_of_several_logins_lie_together_and_those_that_have_ended_go(aws: Aws, ahead: list[int]) -> None:
    tokens.reset()
    for key, life in (("short", 10.0), ("long", HOUR)):
        tokens.get(key, of(f"of {key}", life), account="acme")
    assert set(tokens._read("acme")[0]) == {"short", "long"}
    ahead[0] = 20_000
    tokens.get("third", of("of third", HOUR), account="acme")
    assert set(tokens._read("acme")[0]) == {"long", "third"}


def test_where_the_parameter_is_full_the_newest_stays(aws: Aws) -> None:
    tokens.reset()
    for key in "ab":
        tokens.get(key, of(key * 5_000, HOUR), account="acme")
    assert set(tokens._read("acme")[0]) == {"b"}


@pytest.mark.parametrize("away", ["SSM", "DYNAMODB"])
def test_each_process_gets_its_own_where_aws_is_away(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, away: str) -> None:
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{away}", "http://127.0.0.1:9")
    clients.reset()
    with logged() as lines:
        assert [get(fetch), get(fetch), another_process(fetch), get(fetch, refused="t2")] == ["t1", "t1", "t2", "t3"]
    assert lines.getvalue().count("token_not_shared") == 3
    assert not [token for token in ("t1", "t2", "t3") if f'"{token}"' in lines.getvalue()]
    monkeypatch.delenv(f"AWS_ENDPOINT_URL_{away}")
    clients.reset()


def refuses(**asked: Any) -> Any:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutParameter")


def test_what_cannot_be_written_is_used_and_keeps_nobody_waiting(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients.ssm(), "put_parameter", refuses)
    assert [get(fetch), get(fetch), another_process(fetch)] == ["t1", "t1", "t2"]


def test_what_in_ssm_is_no_token_is_replaced(fetch: Fetch) -> None:
    clients.ssm().put_parameter(Name="/jangada/local/tokens/acme", Value="?", Type="SecureString", Overwrite=True)
    assert [get(fetch), another_process(fetch)] == ["t1", "t1"]


def test_accounts_have_their_own(fetch: Fetch) -> None:
    assert get(fetch) == "t1"
    tokens.reset()
    assert get(fetch, account="other") == "t2"
