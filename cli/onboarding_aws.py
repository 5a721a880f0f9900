"""What EC2 tells of an account's VPN: tunnels, route, and what the relay's security group lets out."""

from __future__ import annotations

import ipaddress
from typing import Any, NoReturn

from chalicelib import aws, registry
from chalicelib.registry import Aggregator
from chalicelib.settings import settings
from smsc_relay import dialects
from smsc_relay.check_faults import NETWORK, US, Skip, Stop

_MAY = "what is asked needs ec2:DescribeVpnConnections, ec2:DescribeRouteTables and ec2:DescribeSecurityGroups"


def tunnel(name: str) -> str:
    """Both tunnels' states.

    Raises:
        Skip: there is no VPN, or AWS does not let us look.
        Stop: none is up.
    """
    owner = _owner(name)
    called = settings().prefix + owner.name
    found = _ask("describe_vpn_connections", "VpnConnections", {"tag:Name": called})
    found = [one for one in found if one["State"] not in ("deleted", "deleting")]
    if not found:
        raise Stop(f"no VPN connection {called}", "`terraform apply` makes it from the file's vpn", US)
    one = found[0]
    if one["State"] != "available":
        raise Stop(f"the VPN connection is {one['State']}", "wait until it is available, some ten minutes", US)
    told = one.get("VgwTelemetry", [])
    up = [each for each in told if each["Status"] == "UP"]
    shown = "; ".join(
        " ".join(filter(None, (each["OutsideIpAddress"], each["Status"], each.get("StatusMessage")))) for each in told
    )
    if not up:
        peer = owner.vpn.get("peer_ip", "their gateway")
        raise Stop(
            f"no tunnel is up: {shown or 'nothing is told of them'}",
            f"does {peer} accept our two gateways with the agreed keys, the same IKE version and parameters of both "
            f"phases, and UDP 500 and 4500? Our log of the negotiation: /jangada/{settings().prefix.rstrip('-')}/vpn/"
            f"{owner.name}",
            NETWORK,
        )
    less = "" if len(up) == len(told) else "; one is down: messages go, but ask for both"
    return f"{len(up)} of {len(told)} up: {shown}{less}"


def route(name: str) -> str:
    """The way from the addresses that the SMSC sees us from.

    Raises:
        Skip, Stop: as `tunnel`.
    """
    _owner(name)
    deployment = settings().prefix.rstrip("-")
    tables = _ask("describe_route_tables", "RouteTables", {"tag:Name": f"{deployment}-source"})
    if not tables:
        raise Stop(f"no route table {deployment}-source", "`terraform apply` makes it", US)
    groups = _ask("describe_security_groups", "SecurityGroups", {"group-name": f"{deployment}-relay"})
    said = []
    for host, port in _hosts(name):
        said.append(_routed(host, tables[0]["Routes"]))
        if not any(_lets_out(rule, host, port) for group in groups for rule in group["IpPermissionsEgress"]):
            raise Stop(
                f"the security group {deployment}-relay lets nothing out to {host}:{port}",
                "`terraform apply` after the file has this host and port",
                US,
            )
    return "; ".join(said) or "the hosts are names: nothing to look up"


def _owner(name: str) -> Aggregator:
    """Whose VPN leads to the account: its own, or another's at the same operator."""
    one = registry.aggregator(name)
    if one.vpn.get("peer_ip"):
        return one
    hosts = [ipaddress.ip_address(host) for host, _ in _hosts(name)]
    for other in registry.aggregators():
        networks = [ipaddress.ip_network(network) for network in other.vpn.get("their_networks", [])]
        if any(host in network for host in hosts for network in networks):
            return other
    raise Skip("there is no vpn in its file, and none of another account leads there")


def _hosts(name: str) -> list[tuple[str, int]]:
    """Addresses that the account connects to, without those that are names."""
    one = registry.aggregator(name)
    config = dialects.config_of(one.type).model_construct(**one.config)
    found: dict[tuple[str, int], None] = {}
    for role in dialects.load(one.type).roles(config):
        for host, port in config.addresses(role) if config.listens(role) is None else ():
            if _is_address(host):
                found[host, port] = None
    return list(found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _routed(host: str, routes: list[dict[str, Any]]) -> str:
    address = ipaddress.ip_address(host)
    fitting = [
        (ipaddress.ip_network(one["DestinationCidrBlock"]), one)
        for one in routes
        if one.get("DestinationCidrBlock") and address in ipaddress.ip_network(one["DestinationCidrBlock"])
    ]
    if not fitting:
        raise Stop(
            f"no route to {host}", "is it in vpn.their_networks, and applied? With bgp: do they announce it?", US
        )
    network, best = max(fitting, key=lambda pair: pair[0].prefixlen)
    to = best.get("GatewayId") or best.get("TransitGatewayId") or best.get("NatGatewayId") or ""
    if best.get("State") != "active":
        raise Stop(f"the route to {network} is {best.get('State')}", f"look at {to or 'its target'}", US)
    if not to.startswith(("vgw-", "tgw-")):
        raise Stop(
            f"the route to {host} leads to {to}, not into a VPN", "is it in vpn.their_networks, and applied?", US
        )
    return f"{host} by {network} to {to}"


def _lets_out(rule: dict[str, Any], host: str, port: int) -> bool:
    if rule["IpProtocol"] not in ("tcp", "-1"):
        return False
    if rule["IpProtocol"] == "tcp" and not rule["FromPort"] <= port <= rule["ToPort"]:
        return False
    address = ipaddress.ip_address(host)
    return any(address in ipaddress.ip_network(one["CidrIp"]) for one in rule.get("IpRanges", []))


def _ask(call: str, key: str, filters: dict[str, str]) -> list[dict[str, Any]]:
    import botocore.session

    client = botocore.session.get_session().create_client("ec2")
    try:
        answer = getattr(client, call)(Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()])
    except Exception as error:
        _cannot(error)
    found: list[dict[str, Any]] = answer[key]
    return found


def _cannot(error: Exception) -> NoReturn:
    code = aws.error_code(error)
    if code in ("UnauthorizedOperation", "AccessDenied", "AuthFailure"):
        raise Skip(f"AWS does not let us look ({code}): {_MAY}") from None
    raise Skip(f"EC2 cannot be asked: {code or type(error).__name__}") from None
