"""`python infra/switch.py jangada-prod b`: SMSCs are reached from the address of zone b (or a, or each zone's own).

For the loss of a zone: it changes the routes of the relay's subnets at once, and asks nothing of Terraform. Sessions
that went through the other gateway end, and the relay logs in again. The next `make deploy` puts back what
`network.source_zone` says.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

import boto3

ZONES: Final = ("a", "b")


class SwitchError(RuntimeError):
    """The routes cannot be changed; the text says why."""


def _named(found: list[dict[str, Any]], beginning: str) -> dict[str, dict[str, Any]]:
    """Resources by zone, from their tag Name: `beginning` and the zone."""
    names = {
        tag["Value"].removeprefix(beginning): one
        for one in found
        for tag in one.get("Tags", [])
        if tag["Key"] == "Name" and tag["Value"].startswith(beginning)
    }
    return {zone: names[zone] for zone in ZONES if zone in names}


def switch(ec2: Any, name: str, zone: str) -> list[str]:
    """Lead the routes to SMSCs through the gateway of `zone`; "each": of the zone that they are in.

    Answers what was changed, a line a route.

    Raises:
        SwitchError: the deployment has no such gateways, or none that is available.
    """
    beginning = f"{name}-source-"
    ours = [one for one in ec2.describe_nat_gateways()["NatGateways"] if _named([one], beginning)]
    gateways = _named([one for one in ours if one["State"] == "available"], beginning)
    tables = _named(ec2.describe_route_tables()["RouteTables"], f"{name}-private-")
    wanted = {own: own if zone == "each" else zone for own in tables}
    missing = sorted(set(wanted.values()) - set(gateways))
    if not tables or missing:
        where = ", ".join(missing or ZONES)
        raise SwitchError(f"{name} has no gateway in zone {where}: is the name right, and is there an SMSC?")
    sources = {one["NatGatewayId"] for one in ours}  # those that are lost too
    changed = []
    for own, table in tables.items():
        target = gateways[wanted[own]]["NatGatewayId"]
        for route in table["Routes"]:
            if route.get("NatGatewayId") in sources - {target}:
                network = route["DestinationCidrBlock"]
                ec2.replace_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock=network, NatGatewayId=target)
                changed.append(f"zone {own}: {network} through the gateway of zone {wanted[own]}")
    return changed


def main() -> int:
    """Switch; 1 with the reason on stderr when it cannot be done."""
    parser = argparse.ArgumentParser(prog="infra/switch.py", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="the deployment, e.g. jangada-prod")
    parser.add_argument("zone", choices=(*ZONES, "each"))
    options = parser.parse_args()
    try:
        changed = switch(boto3.client("ec2"), options.name, options.zone)
    except SwitchError as error:
        print(f"switch: {error}", file=sys.stderr)
        return 1
    print("\n".join(changed) or "nothing to change: it is so already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
