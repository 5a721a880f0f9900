"""Every policy of infra/ and of .chalice/: a name wherever there can be one, and one place for the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.infra.terraform import ROOT

pytestmark = pytest.mark.timeout(300)

# What may be allowed on no narrower resource, and why.
NAMELESS: Final = {
    "xray:PutTraceSegments": "the action knows no resources (service authorization reference)",
    "xray:PutTelemetryRecords": "the action knows no resources",
    "ecr:GetAuthorizationToken": "the action knows no resources",
    **dict.fromkeys(
        (
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:UnassignPrivateIpAddresses",
        ),
        "Lambda joins a function to its subnets by the function's role, before interfaces have ids: "
        "what AWSLambdaVPCAccessExecutionRole allows; for λ send_nat and λ send_vpc only, and not to their code",
    ),
    "ec2:DescribeNetworkInterfaces": "the action knows no resources; as above",
    "ec2:DescribeSubnets": "the action knows no resources; as above",
    "logs:CreateLogGroup": "API Gateway's role, one for all APIs of the account",
    "logs:DescribeLogGroups": "API Gateway's role",
    "logs:FilterLogEvents": "API Gateway's role",
    "logs:GetLogEvents": "API Gateway's role",
}
GATEWAY: Final = "module.api.aws_iam_role_policy.gateway[0]"
Policies = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def policies(made: dict[str, dict[str, Any]]) -> Policies:
    """Policies by address: of roles, of keys, queues, repositories, topics and endpoints."""
    found = {}
    for address, values in made.items():
        for argument in ("policy", "assume_role_policy"):
            text = values.get(argument)
            if text and text.startswith("{") and "aws_ecr_lifecycle_policy" not in address:
                found[address if argument == "policy" else f"{address} trust"] = json.loads(text)
    return found


def allowed(policy: dict[str, Any]) -> Iterator[tuple[list[str], list[str], dict[str, Any]]]:
    """Actions, resources and all of each statement that allows something."""
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for one in statements:
        if one["Effect"] == "Allow":
            actions, resources = one["Action"], one.get("Resource", [])
            yield (
                actions if isinstance(actions, list) else [actions],
                resources if isinstance(resources, list) else [resources],
                one,
            )


def of_roles(policies: Policies) -> Policies:
    """What roles may do."""
    return {address: one for address, one in policies.items() if "aws_iam_role_policy." in address}


def test_every_role_has_a_policy_of_its_own(policies: Policies, made: dict[str, dict[str, Any]]) -> None:
    functions = {address for address in of_roles(policies) if "module.api.aws_iam_role_policy.function[" in address}
    assert len(functions) == len([address for address in made if ".aws_lambda_function." in address]) >= 7
    assert {
        "module.relay[0].aws_iam_role_policy.task",
        "module.relay[0].aws_iam_role_policy.execution",
        "module.network[0].aws_iam_role_policy.flow",
    } <= set(of_roles(policies))


def test_no_role_may_do_every_action_of_a_service(policies: Policies) -> None:
    wide = {
        f"{address}: {action}"
        for address, policy in of_roles(policies).items()
        for actions, _, _ in allowed(policy)
        for action in actions
        if "*" in action
    }
    assert wide == set()


def test_resources_have_names(policies: Policies) -> None:
    """`arn:...:log-group:NAME:*` is the streams of one group, which a service names itself."""
    wide = set()
    for address, policy in of_roles(policies).items():
        for actions, resources, _ in allowed(policy):
            assert resources, address
            for resource in resources:
                if "*" not in resource.removesuffix(":*"):
                    continue
                known = all(action in NAMELESS or (address == GATEWAY) for action in actions)
                wide |= set() if known and resource == "*" else {f"{address}: {resource} for {', '.join(actions)}"}
    assert wide == set()


def test_only_functions_in_a_vpc_may_join_one_and_not_their_code(policies: Policies) -> None:
    joining = {action for action in NAMELESS if action.startswith("ec2:")}
    found = {}
    for address, policy in of_roles(policies).items():
        if any(action.startswith("ec2:") for actions, _, _ in allowed(policy) for action in actions):
            (denied,) = [one for one in policy["Statement"] if one["Effect"] == "Deny"]
            assert set(denied["Action"]) == joining
            ((_, function),) = denied["Condition"]["ArnEquals"].items()
            found[address.split('"')[1]] = function if isinstance(function, str) else function[0]
    assert {key: arn.rpartition(":")[2] for key, arn in found.items()} == {
        key: f"jangada-example-{key}" for key in ("send_nat", "send_vpc")
    }


def test_functions_in_a_vpc_have_their_own_aggregators_secrets_only(policies: Policies) -> None:
    for key, name in (("send_nat", "fixed"), ("send_vpc", "inside")):
        policy = policies[f'module.api.aws_iam_role_policy.function["{key}"]']
        named = [one for actions, resources, _ in allowed(policy) if "ssm:GetParameter" in actions for one in resources]
        assert {one.rpartition("/")[2] for one in named} == {name}


def test_the_exceptions_are_still_needed(policies: Policies) -> None:
    nameless = {
        action
        for policy in of_roles(policies).values()
        for actions, resources, _ in allowed(policy)
        if "*" in resources
        for action in actions
    }
    assert set(NAMELESS) <= nameless


def test_who_may_come_is_said_wherever_a_resource_has_a_policy(policies: Policies) -> None:
    """Queues, keys, topics: nobody outside but by name. Endpoints: this account's principals only."""
    open_to_all = set()
    for address, policy in policies.items():
        if address in of_roles(policies):
            continue
        for _, _, statement in allowed(policy):
            principals = statement["Principal"]
            values = [one for found in principals.values() for one in (found if isinstance(found, list) else [found])]
            if "*" in values and not statement.get("Condition"):
                open_to_all.add(f"{address}: {statement.get('Sid')}")
    assert open_to_all == {'module.network[0].aws_vpc_endpoint.gateway["s3"]: ImageLayers'}  # read, AWS's own bucket


def test_keys_are_used_through_services_only(policies: Policies) -> None:
    for address, policy in of_roles(policies).items():
        for actions, _, statement in allowed(policy):
            if any(action.startswith("kms:") for action in actions):
                ((_, via),) = statement["Condition"]["StringEquals"].items()
                assert sorted(one.split(".")[0] for one in via) == ["dynamodb", "sqs", "ssm"], address


def test_chalice_brings_no_policy() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    assert config["manage_iam_role"] is False
    assert [path.name for path in (ROOT / ".chalice").glob("*.json")] == ["config.json"]
    assert '"Resource"' not in (ROOT / ".chalice" / "config.json").read_text()


def test_functions_and_relay_are_told_the_same(made: dict[str, dict[str, Any]]) -> None:
    told = [
        values["environment"][0]["variables"] for address, values in made.items() if ".aws_lambda_function." in address
    ]
    assert len(told) >= 7
    (task,) = json.loads(made["module.relay[0].aws_ecs_task_definition.this"]["container_definitions"])
    inside = [one | {"JANGADA_ALLOW_PRIVATE": "1"} for one in told if "JANGADA_ALLOW_PRIVATE" not in one][:1]
    told = [*told, {one["name"]: one["value"] for one in task["environment"]}]
    assert [one for one in told if one in inside] == inside  # λ send_vpc alone
    told = [one for one in told if one not in inside]
    assert told == [told[0]] * len(told)
    assert {"JANGADA_PREFIX", "JANGADA_QUEUE_BASE", "JANGADA_SSM_PREFIX", "JANGADA_DOMAIN"} <= set(told[0])
