"""The registry on a real DynamoDB and SSM: what is cached, what outlives AWS's troubles, who may take what."""

from __future__ import annotations

import hmac
import json
import os
from typing import Any

import boto3
import pytest

from chalicelib import aws as clients
from chalicelib import registry, registry_store
from chalicelib.registry import Aggregator, Channel, CredentialUnbound, Platform, RegistryUnavailable, UnknownChannel
from chalicelib.registry_store import Conflict
from chalicelib.settings import reset as reset_settings
from chalicelib.settings import settings
from local.emulator import free_port
from tests.support import CHANNEL, Aws

OTHER = "0b3c8e52-1f6a-4a7e-9d5b-6f0e2c4d8a91"


def behind_the_cache(pk: str, data: dict[str, Any]) -> None:
    """Change a row as another process would."""
    clients.dynamodb().put_item(
        TableName=settings().table("registry"),
        Item={"pk": {"S": pk}, "sk": {"S": "-"}, "data": {"S": json.dumps(data)}},
    )


def secret_behind_the_cache(path: str, value: str) -> None:
    clients.ssm().put_parameter(Name=path, Value=value, Type="SecureString", Overwrite=True)


def expire() -> None:
    """Let 30 seconds pass for everything that is cached."""
    for slot in registry._cache.values():
        slot.due = 0.0


@pytest.fixture
def away(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it, and AWS answers no more: its port is closed. Call it with True, and it does again."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]

    def switch(back: bool = False) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint if back else f"http://127.0.0.1:{free_port()}")
        clients.reset()

    return switch


# --- reading --------------------------------------------------------------------------------------------------------


def test_what_is_cached_is_not_asked_for_again(aws: Aws, away: Any) -> None:
    aws.aggregator("fast", secrets={"api_key": "k1"})
    aws.channel(id=346)
    read = [registry.channel(CHANNEL), registry.channel_for(346), registry.channel_at("fast", "8080")]
    assert registry.settings_of(read[0]) == {"api_key": "k1"}
    away()
    assert [registry.channel(CHANNEL), registry.channel_for(346), registry.channel_at("fast", "8080")] == read
    assert registry.settings_of(read[0]) == {"api_key": "k1"}


def test_a_change_is_noticed_when_the_cached_value_is_old(aws: Aws) -> None:
    channel = aws.channel()
    registry.channel(CHANNEL)
    behind_the_cache(f"chan#{CHANNEL}", channel.model_dump(mode="json") | {"enabled": False})
    assert registry.channel(CHANNEL).enabled
    expire()
    assert not registry.channel(CHANNEL).enabled


def test_an_absence_that_was_believed_is_looked_at_anew_when_asked_for_fresh(aws: Aws) -> None:
    with pytest.raises(UnknownChannel, match=CHANNEL):
        registry.channel(CHANNEL)
    behind_the_cache(f"chan#{CHANNEL}", Channel(uuid=CHANNEL, aggregator="fast", type="EX", address="8080",
                                                platform="main").model_dump(mode="json"))  # fmt: skip
    with pytest.raises(UnknownChannel):
        registry.channel(CHANNEL)
    assert registry.channel(CHANNEL, fresh=True).address == "8080"


def test_the_last_value_is_served_while_aws_is_away_and_the_new_one_after(aws: Aws, away: Any) -> None:
    channel = aws.channel()
    aws.aggregator("fast", secrets={"api_key": "k1"})
    registry.settings_of(registry.channel(CHANNEL))
    away()
    expire()
    assert registry.channel(CHANNEL) == channel
    assert registry.settings_of(channel) == {"api_key": "k1"}
    away(back=True)
    behind_the_cache(f"chan#{CHANNEL}", channel.model_dump(mode="json") | {"address": "9090"})
    expire()
    assert registry.channel(CHANNEL).address == "9090"


def test_with_nothing_cached_trouble_is_no_absence(aws: Aws, away: Any) -> None:
    aws.channel()
    registry.reset()
    away()
    for read in (lambda: registry.channel(CHANNEL), lambda: registry.platform("main"), lambda: registry.token("x"),
                 lambda: registry.aggregator("fast"), registry.channels):  # fmt: skip
        with pytest.raises(RegistryUnavailable):
            read()


@pytest.mark.parametrize(
    ("read", "error"),
    [
        pytest.param(lambda: registry.channel(OTHER), registry.UnknownChannel, id="channel"),
        pytest.param(lambda: registry.channel_for(7), registry.UnknownChannel, id="channel-id"),
        pytest.param(lambda: registry.channel_at("fast", "1"), registry.UnknownChannel, id="address"),
        pytest.param(lambda: registry.aggregator("none"), registry.UnknownAggregator, id="aggregator"),
        pytest.param(lambda: registry.platform("none"), registry.UnknownPlatform, id="platform"),
    ],
)
def test_what_is_not_there(aws: Aws, read: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read()


def test_everything_is_listed(aws: Aws) -> None:
    aws.aggregator("slow")
    aws.aggregator("fast")
    aws.platform("main")
    aws.channel()
    aws.channel(OTHER, aggregator="slow", address="9090")
    assert [one.name for one in registry.aggregators()] == ["fast", "slow"]
    assert [one.uuid for one in registry.channels()] == [OTHER, CHANNEL]
    assert [one.uuid for one in registry.channels_of("slow")] == [OTHER]
    assert [one.name for one in registry.platforms()] == ["main"]


# --- secrets --------------------------------------------------------------------------------------------------------


def test_secrets_are_stored_encrypted_and_never_in_the_table(aws: Aws) -> None:
    aws.aggregator("fast", config={"username": "u"})
    registry_store.put_secrets("fast", {"api_key": "k-very-secret"})
    parameter = clients.ssm().get_parameter(Name="/jangada/local/aggregators/fast")["Parameter"]
    assert parameter["Type"] == "SecureString"
    rows = clients.dynamodb().scan(TableName=settings().table("registry"))["Items"]
    assert "k-very-secret" not in json.dumps(rows)
    assert registry.aggregator("fast").secrets == ("api_key",)


def test_secrets_are_encrypted_with_the_deployments_own_key(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def key_of(name: str) -> str:
        filters = [{"Key": "Name", "Values": [f"/jangada/local/aggregators/{name}"]}]
        (found,) = boto3.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"]
        return str(found["KeyId"])

    registry_store.put_secrets("fast", {"api_key": "k1"})
    assert key_of("fast") == "alias/aws/ssm"
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    monkeypatch.setenv("JANGADA_KMS_KEY", key)
    reset_settings()
    registry_store.put_secrets("fast", {"api_key": "k2"})
    assert key_of("fast") == key
    assert registry_store.read_secret("aggregators", "fast") == {"api_key": "k2"}


def test_new_secrets_join_the_old_ones(aws: Aws) -> None:
    aws.aggregator("fast", config={"username": "u"})
    registry_store.put_secrets("fast", {"api_key": "k1", "secret": "s1"})
    registry_store.put_secrets("fast", {"api_key": "k2"})
    assert registry.secrets("fast") == {"api_key": "k2", "secret": "s1"}
    assert registry.aggregator("fast").secrets == ("api_key", "secret")


def test_a_secret_can_be_there_before_its_aggregator(aws: Aws) -> None:
    registry_store.put_secrets("fast", {"api_key": "k1"})
    with pytest.raises(registry.UnknownAggregator):
        registry.aggregator("fast")
    registry_store.put_aggregator(Aggregator(name="fast", type="AT", secrets=("api_key",)))
    assert registry.secrets("fast") == {"api_key": "k1"}


def test_a_new_secret_is_noticed_with_the_aggregators_version(aws: Aws) -> None:
    """SSM is asked every five minutes, the table every 30 s: a rotated secret need not wait for the former."""
    account = aws.aggregator("fast", secrets={"api_key": "k1"})
    assert registry.secrets("fast") == {"api_key": "k1"}
    secret_behind_the_cache("/jangada/local/aggregators/fast", '{"api_key": "k2"}')
    registry._cache[("agg#fast",)].due = 0.0
    assert registry.secrets("fast") == {"api_key": "k1"}
    behind_the_cache("agg#fast", account.model_dump(mode="json") | {"version": 2})
    registry._cache[("agg#fast",)].due = 0.0
    assert registry.secrets("fast") == {"api_key": "k2"}


def test_secrets_longer_than_ssm_takes_are_refused_and_the_old_ones_stay(aws: Aws) -> None:
    aws.aggregator("fast", secrets={"api_key": "k1"})
    with pytest.raises(ValueError, match="SSM takes 8192") as refusal:
        registry_store.put_secrets("fast", {"api_key": "x" * 9000})
    assert "xxx" not in str(refusal.value)
    assert registry.secrets("fast") == {"api_key": "k1"}


# --- platforms ------------------------------------------------------------------------------------------------------


def test_a_credential_is_only_good_for_its_base_url(aws: Aws) -> None:
    aws.platform("main", "https://one.example.org")
    assert registry.platform_credential("main") == ""
    registry_store.put_credential("main", "Token t1")
    assert registry.platform_credential("main") == "Token t1"
    aws.platform("main", "https://two.example.org", secret=True)
    with pytest.raises(CredentialUnbound, match="jangada platform credential main") as refusal:
        registry.platform_credential("main")
    assert "t1" not in str(refusal.value)


def test_a_credential_moves_with_a_new_base_url(aws: Aws) -> None:
    aws.platform("main", "https://one.example.org", concurrency=9)
    registry_store.put_credential("main", "Token t1")
    moved = registry_store.put_credential("main", "Token t2", "https://two.example.org")
    assert (moved.base_url, moved.concurrency) == ("https://two.example.org", 9)
    assert registry.platform("main") == moved
    assert registry.platform_credential("main") == "Token t2"


def test_between_the_two_writes_of_a_move_nothing_is_sent(aws: Aws) -> None:
    aws.platform("main", "https://one.example.org")
    registry_store.put_credential("main", "Token t1")
    moved = {"base_url": "https://two.example.org", "credential": "Token t2"}
    registry_store.put_secret("platforms", "main", json.dumps(moved))
    with pytest.raises(CredentialUnbound):
        registry.platform_credential("main")


def test_a_credential_taken_away(aws: Aws) -> None:
    aws.platform("main", "https://one.example.org")
    registry_store.put_credential("main", "Token t1")
    assert not registry_store.put_credential("main", "").secret
    assert registry.platform_credential("main") == ""
    assert registry_store.read_secret("platforms", "main") == {}
    registry_store.put_credential("main", "")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("https://a.example", "https://A.example/", True, id="written otherwise"),
        pytest.param("https://a.example:443/x/", "https://a.example/x", True, id="the default port"),
        pytest.param("https://a.example", "http://a.example", False, id="in clear"),
        pytest.param("https://a.example", "https://a.example:8443", False, id="another port"),
        pytest.param("https://a.example", "https://a.example.evil.example", False, id="another host"),
        pytest.param("https://a.example", "https://a.example@evil.example", False, id="a user that looks like a host"),
        pytest.param("https://a.example/x", "https://a.example/X", False, id="another path"),
    ],
)
def test_what_counts_as_the_same_base_url(one: str, other: str, same: bool) -> None:
    assert (registry.base_of(one) == registry.base_of(other)) is same


# --- channels -------------------------------------------------------------------------------------------------------


def channel(uuid: str = OTHER, **fields: Any) -> Channel:
    values = {"aggregator": "fast", "type": "EX", "address": "8080", "platform": "main", "workspace": "w"}
    return Channel(uuid=uuid, **(values | fields))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"address": "8080"}, id="address"),
        pytest.param({"address": " 80 80"}, id="the same address written otherwise"),
        pytest.param({"address": "9090", "id": 346}, id="integer id"),
        pytest.param({"aggregator": "slow", "id": 346}, id="integer id on another aggregator"),
    ],
)
def test_address_and_id_belong_to_one_channel(aws: Aws, fields: dict[str, Any]) -> None:
    aws.channel(id=346)
    with pytest.raises(Conflict, match=CHANNEL):
        registry_store.put_channel(channel(**fields))
    with pytest.raises(UnknownChannel):
        registry.channel(OTHER)


def test_the_same_address_on_another_aggregator(aws: Aws) -> None:
    aws.channel()
    registry_store.put_channel(channel(aggregator="slow"))
    assert registry.channel_at("slow", "8080").uuid == OTHER
    assert registry.channel_at("fast", "8080").uuid == CHANNEL


def test_a_channel_that_moves_gives_up_what_it_had(aws: Aws) -> None:
    aws.channel(id=346)
    aws.channel(id=347, address="+250 788 000 111")
    registry_store.put_channel(channel(id=346))
    assert registry.channel_at("fast", "250788000111").uuid == CHANNEL
    assert registry.channel_for(346).uuid == OTHER
    assert registry.channel_for(347).uuid == CHANNEL


def test_a_disabled_channel_keeps_its_place_until_another_wants_it(aws: Aws) -> None:
    aws.channel(id=346)
    registry_store.set_enabled(CHANNEL, False)
    assert registry.channel_at("fast", "8080").uuid == CHANNEL
    registry_store.put_channel(channel(id=346))
    assert registry.channel_at("fast", "8080").uuid == OTHER
    assert registry.channel_for(346).uuid == OTHER
    assert not registry_store.set_enabled(CHANNEL, False).enabled
    with pytest.raises(Conflict, match=OTHER):
        registry_store.set_enabled(CHANNEL, True)
    registry_store.set_enabled(OTHER, False)
    registry_store.set_enabled(CHANNEL, True)
    assert registry.channel_at("fast", "8080").uuid == CHANNEL


def test_enabling_a_channel_that_is_not_there(aws: Aws) -> None:
    with pytest.raises(UnknownChannel):
        registry_store.set_enabled(OTHER, True)


def test_two_channels_can_swap_their_addresses(aws: Aws) -> None:
    aws.channel()
    registry_store.put_channel(channel(address="9090"))
    both = {CHANNEL, OTHER}
    registry_store.change_channel(CHANNEL, lambda _: channel(CHANNEL, address="9090"), both)
    assert registry.channel_at("fast", "9090").uuid == CHANNEL
    registry_store.change_channel(OTHER, lambda _: channel(OTHER, address="8080"), both)
    assert registry.channel_at("fast", "8080").uuid == OTHER
    assert registry.channel_at("fast", "9090").uuid == CHANNEL


def test_a_change_made_meanwhile_is_not_undone(aws: Aws) -> None:
    aws.channel()

    def while_somebody_disables_it(old: Channel | None) -> Channel:
        assert old is not None
        registry_store.set_enabled(CHANNEL, False)
        return old.model_copy(update={"country": "UG"})

    with pytest.raises(Conflict, match="run it again"):
        registry_store.change_channel(CHANNEL, while_somebody_disables_it)
    assert not registry.channel(CHANNEL).enabled


def test_a_place_is_not_taken_from_a_channel_that_is_enabled_meanwhile(aws: Aws, monkeypatch: Any) -> None:
    aws.channel()
    registry_store.set_enabled(CHANNEL, False)
    commit = clients.dynamodb().transact_write_items

    def late(**request: Any) -> Any:
        monkeypatch.undo()
        registry_store.set_enabled(CHANNEL, True)
        return commit(**request)

    monkeypatch.setattr(clients.dynamodb(), "transact_write_items", late, raising=False)
    with pytest.raises(Conflict, match="run it again"):
        registry_store.put_channel(channel())
    assert registry.channel_at("fast", "8080").uuid == CHANNEL


def test_an_aggregator_changed_meanwhile(aws: Aws) -> None:
    account = aws.aggregator("fast")
    before = registry_store._read("agg#fast")
    registry_store.put_aggregator(account.model_copy(update={"contacts": {"noc": "1"}}))
    with pytest.raises(Conflict, match="fast has been changed meanwhile"):
        registry_store._write("agg#fast", account.model_dump(mode="json"), before)


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_opens_its_workspace_and_only_its_hash_is_kept(aws: Aws) -> None:
    plain = registry_store.new_token("unicef", "rapidpro")
    found = registry.token(plain)
    assert found is not None
    assert (found.workspace, found.label, found.revoked) == ("unicef", "rapidpro", False)
    assert plain not in json.dumps(clients.dynamodb().scan(TableName=settings().table("registry"))["Items"])
    assert registry_store.new_token("unicef") != plain


@pytest.mark.parametrize(
    "plain", [pytest.param("", id="empty"), pytest.param("jgd_x", id="unknown"), pytest.param("\udc80", id="no UTF-8")]
)
def test_an_unknown_token(aws: Aws, plain: str) -> None:
    registry_store.new_token("unicef")
    assert registry.token(plain) is None


def test_a_revoked_token_opens_nothing(aws: Aws) -> None:
    plain = registry_store.new_token("unicef")
    found = registry.token(plain)
    assert found is not None
    registry_store.revoke_token(found)
    assert registry.token(plain) is None
    assert [one.revoked for one in registry.tokens()] == [True]


def test_tokens_are_compared_in_constant_time(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = registry_store.new_token("unicef")
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one.encode(), other.encode())

    monkeypatch.setattr(registry, "hmac", type("Hmac", (), {"compare_digest": staticmethod(compare)}))
    assert registry.token(plain)
    assert compared == [(registry.token_hash(plain), registry.token_hash(plain))]


def test_platforms_are_named_with_their_defaults(aws: Aws) -> None:
    aws.platform("main", "https://one.example.org")
    assert registry.platform("main") == Platform(name="main", base_url="https://one.example.org", concurrency=5)
