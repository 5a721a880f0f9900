"""infra/switch.py on an emulated EC2: routes go to the other zone's gateway and back, and nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.emulator import Emulator, environment
from tests.infra.terraform import ROOT

NETWORKS = ["10.64.10.0/24", "10.65.0.0/16"]


class Ec2:
    """A deployment's gateways and route tables, and those of another one."""

    def __init__(self, endpoint: str) -> None:
        self.environment = {**os.environ, **environment(endpoint)}
        self.client: Any = boto3.client("ec2", region_name="eu-west-1", endpoint_url=endpoint,
                                        aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
        self.vpc = self.client.create_vpc(CidrBlock="10.213.0.0/16")["Vpc"]["VpcId"]
        for number, name in enumerate(("jangada-prod", "jangada-test")):
            for index, zone in enumerate("ab"):
                self._zone(name, zone, f"10.213.{number * 2 + index}.0/24")

    def _zone(self, name: str, zone: str, cidr: str) -> None:
        subnet = self.client.create_subnet(VpcId=self.vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
        gateway = self.client.create_nat_gateway(
            SubnetId=subnet,
            ConnectivityType="private",
            TagSpecifications=[self._tag("natgateway", f"{name}-source-{zone}")],
        )["NatGateway"]["NatGatewayId"]
        table = self.client.create_route_table(
            VpcId=self.vpc, TagSpecifications=[self._tag("route-table", f"{name}-private-{zone}")]
        )["RouteTable"]["RouteTableId"]
        for network in NETWORKS:
            self.client.create_route(RouteTableId=table, DestinationCidrBlock=network, NatGatewayId=gateway)

    def _tag(self, kind: str, name: str) -> dict[str, Any]:
        return {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}

    def ways(self, name: str) -> set[tuple[str, str, str]]:
        """Zone of the table, network, zone of the gateway."""
        gateways = {
            one["NatGatewayId"]: tag["Value"]
            for one in self.client.describe_nat_gateways()["NatGateways"]
            for tag in one["Tags"]
        }
        return {
            (tag["Value"][-1], route["DestinationCidrBlock"], gateways[route["NatGatewayId"]][-1])
            for table in self.client.describe_route_tables()["RouteTables"]
            for tag in table.get("Tags", [])
            for route in table["Routes"]
            if tag["Value"].startswith(f"{name}-private-") and "NatGatewayId" in route
        }

    def switch(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the program."""
        command = [sys.executable, str(ROOT / "infra" / "switch.py"), *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[Ec2]:
    with Emulator(log=tmp_path / "emulator.log") as emulator:
        yield Ec2(emulator.endpoint)


def test_all_go_through_one_zone_and_back(ec2: Ec2) -> None:
    own = {(zone, network, zone) for zone in "ab" for network in NETWORKS}
    assert ec2.ways("jangada-prod") == own
    done = ec2.switch("jangada-prod", "b")
    assert done.stdout.splitlines() == [f"zone a: {network} through the gateway of zone b" for network in NETWORKS]
    assert ec2.ways("jangada-prod") == {(zone, network, "b") for zone in "ab" for network in NETWORKS}
    assert ec2.switch("jangada-prod", "b").stdout == "nothing to change: it is so already\n"
    assert ec2.switch("jangada-prod", "each").returncode == 0
    assert ec2.ways("jangada-prod") == own
    assert ec2.ways("jangada-test") == own


def test_a_gateway_that_is_lost_is_left(ec2: Ec2) -> None:
    (lost,) = ec2.client.describe_nat_gateways(Filters=[{"Name": "tag:Name", "Values": ["jangada-prod-source-a"]}])[
        "NatGateways"
    ]
    ec2.client.delete_nat_gateway(NatGatewayId=lost["NatGatewayId"])
    assert "no gateway in zone a:" in ec2.switch("jangada-prod", "a").stderr
    assert ec2.switch("jangada-prod", "b").returncode == 0
    assert ec2.ways("jangada-prod") == {(zone, network, "b") for zone in "ab" for network in NETWORKS}


def test_a_deployment_without_gateways_is_named(ec2: Ec2) -> None:
    done = ec2.switch("jangada-nowhere", "a")
    assert (done.returncode, done.stdout) == (1, "")
    assert "jangada-nowhere has no gateway in zone a, b" in done.stderr
