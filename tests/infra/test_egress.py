"""`egress` of aggregator files, as Terraform plans it: functions with fixed addresses, or behind a VPN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.infra.conftest import FIXED, INSIDE
from tests.infra.terraform import Plan, Terraform
from tests.infra.test_plan import changed as changed  # a fixture

pytestmark = pytest.mark.timeout(300)
NETWORK = "module.network[0]"
RULE = f"{NETWORK}.aws_vpc_security_group_egress_rule.function"


def functions(plan: Plan) -> dict[str, str]:
    """What each HTTP aggregator's own lanes feed, from the roles that may take from them."""
    return {key: one["name"] for key, one in plan.of("module.api.aws_iam_role.function").items() if "send" in key}


def ways(plan: Plan, key: str) -> set[tuple[str, int]]:
    """Networks and ports that a function may reach."""
    return {(one["cidr_ipv4"], one["from_port"]) for name, one in plan.of(RULE).items() if name.startswith(f"{key} ")}


def test_fixed_addresses_without_an_smsc(changed: Callable[..., Terraform]) -> None:
    """Nothing of relay, VPN and private NAT gateways is made."""
    plan = changed(mtn_ug=None, mtn_ug_2=None, fixed=FIXED).plan()
    assert set(functions(plan)) == {"send", "send_nat"}
    inside = {
        address
        for address, one in plan.resources.items()
        if ".aws_lambda_function." in address and one.get("vpc_config")
    }
    assert inside == {"module.api.module.functions.aws_lambda_function.send_nat[0]"}
    assert len(plan.of(f"{NETWORK}.aws_eip.this")) == 2
    assert {one["cidr_block"] for one in plan.of(f"{NETWORK}.aws_subnet.nat").values()} == {
        "10.213.64.192/27",
        "10.213.64.224/27",
    }
    assert {one["destination_cidr_block"] for one in plan.of(f"{NETWORK}.aws_route.nat").values()} == {"0.0.0.0/0"}
    assert ways(plan, "send_nat") == {("0.0.0.0/0", 80), ("0.0.0.0/0", 443), ("0.0.0.0/0", 13013)}
    assert set(plan.of(f"{NETWORK}.aws_vpc_endpoint.interface")) == {"sqs", "ssm", "logs"}
    for address in ("aws_subnet.source", "aws_nat_gateway.source", "aws_route.internet", "aws_route_table.source"):
        assert not plan.of(f"{NETWORK}.{address}"), address
    assert not [name for name in plan.resources if name.startswith(("module.relay", "module.vpn"))]
    assert not [name for name in plan.resources if "ingress" in name and "endpoints" not in name]
    alarms = set(plan.of("module.observability.aws_cloudwatch_metric_alarm.this"))
    assert {"errors-send_nat", "throttles-send_nat"} <= alarms
    assert not {"errors-send_vpc", "throttles-send_vpc"} & alarms


def test_behind_a_vpn(changed: Callable[..., Terraform]) -> None:
    plan = changed(mtn_ug=None, mtn_ug_2=None, inside=INSIDE).plan()
    assert set(functions(plan)) == {"send", "send_vpc"}
    assert ways(plan, "send_vpc") == {("10.99.1.0/24", 13013)}
    assert not plan.of(f"{NETWORK}.aws_eip.this")
    assert not plan.of(f"{NETWORK}.aws_internet_gateway.this")
    assert {one["destination_cidr_block"] for one in plan.of(f"{NETWORK}.aws_route.smsc").values()} == {"10.99.1.0/24"}
    assert set(plan.of("module.vpn[0].aws_customer_gateway.this")) == {"inside"}
    assert len(plan.of(f"{NETWORK}.aws_nat_gateway.source")) == 2


def test_each_lane_feeds_the_function_of_its_egress(made: dict[str, dict[str, Any]]) -> None:
    arns = {one["arn"]: one["function_name"] for name, one in made.items() if ".aws_lambda_function." in name}
    fed = {
        name.split('"')[1]: arns[one["function_name"]].removeprefix("jangada-example-")
        for name, one in made.items()
        if "aws_lambda_event_source_mapping" in name and '"lane-' in name
    }
    assert fed == {
        **{f"lane-{name}{bulk}": "send" for name in ("shared", "infobip-ke") for bulk in ("", "-bulk")},
        **{f"lane-fixed{bulk}": "send_nat" for bulk in ("", "-bulk")},
        **{f"lane-inside{bulk}": "send_vpc" for bulk in ("", "-bulk")},
    }


def test_functions_are_in_subnets_of_their_own_kind(made: dict[str, dict[str, Any]]) -> None:
    subnets = {one["id"]: name.partition("aws_subnet.")[2][:-5] for name, one in made.items() if "aws_subnet." in name}
    groups = {one["id"]: one["name"] for name, one in made.items() if ".aws_security_group." in name}
    found = {
        name.rpartition(".")[2]: (
            {subnets[one] for one in values["vpc_config"][0]["subnet_ids"]},
            {groups[one] for one in values["vpc_config"][0]["security_group_ids"]},
        )
        for name, values in made.items()
        if ".aws_lambda_function." in name and values["vpc_config"]
    }
    assert found == {
        "send_nat[0]": ({"nat"}, {"jangada-example-send-nat"}),
        "send_vpc[0]": ({"private"}, {"jangada-example-send-vpc"}),
    }


def test_the_way_to_the_internet_is_through_the_zones_own_gateway(made: dict[str, dict[str, Any]]) -> None:
    gateways = {one["id"]: name.split('"')[1] for name, one in made.items() if "aws_nat_gateway.public" in name}
    ways = {name.split('"')[1]: one["nat_gateway_id"] for name, one in made.items() if ".aws_route.nat[" in name}
    assert {zone: gateways[one] for zone, one in ways.items()} == {"a": "a", "b": "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(FIXED.replace("egress: nat", "egress: vpn"), "must be public, nat or vpc", id="no such egress"),
        pytest.param(FIXED.replace("lane: own", "lane: shared"), "fixed: egress needs `lane: own`", id="shared lane"),
        pytest.param(INSIDE.partition("vpn:")[0], "needs `vpn` with their_networks", id="no way"),
        pytest.param(INSIDE.replace("http://10", "10"), "needs a URL in config", id="no port"),
        pytest.param(
            "{name: x, type: SMPP, egress: nat, config: {host: 10.64.10.22}}", "an SMSC has no egress", id="an SMSC"
        ),
    ],
)
def test_what_cannot_be_is_refused(changed: Callable[..., Terraform], text: str, said: str) -> None:
    assert said in changed(extra=text).refusal("module.jangada.terraform_data.checks")
