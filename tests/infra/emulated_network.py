"""What ministack 1.5.33 lacks of VPC and VPN for Terraform's AWS provider: answers that say what was asked for.

- VPN connections keep the options of both tunnels, tell of their addresses in the customer gateway's configuration, and
  are to be seen as `deleted` for a while, as on AWS.
- NAT gateways have addresses.
- VPCs take second ranges; endpoints, flow logs and rules of security groups keep all that they were given.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import ec2

_LISTS = (
    ("Phase1EncryptionAlgorithm", "phase1EncryptionAlgorithmSet"),
    ("Phase2EncryptionAlgorithm", "phase2EncryptionAlgorithmSet"),
    ("Phase1IntegrityAlgorithm", "phase1IntegrityAlgorithmSet"),
    ("Phase2IntegrityAlgorithm", "phase2IntegrityAlgorithmSet"),
    ("Phase1DHGroupNumber", "phase1DHGroupNumberSet"),
    ("Phase2DHGroupNumber", "phase2DHGroupNumberSet"),
    ("IKEVersion", "ikeVersionSet"),
)
_VALUES = (
    ("Phase1LifetimeSeconds", "phase1LifetimeSeconds"),
    ("Phase2LifetimeSeconds", "phase2LifetimeSeconds"),
    ("DPDTimeoutSeconds", "dpdTimeoutSeconds"),
    ("DPDTimeoutAction", "dpdTimeoutAction"),
    ("StartupAction", "startupAction"),
)
_options: dict[str, str] = {}  # of VPN connections by id: the XML of both tunnels' options
_deleted: dict[str, Any] = {}
_create, _delete, _plain, _describe = (
    ec2._create_vpn_connection,
    ec2._delete_vpn_connection,
    ec2._vpn_conn_xml,
    ec2._describe_vpn_connections,
)


def _tunnel(params: Any, number: int) -> str:
    """The options of a tunnel, as DescribeVpnConnections has them."""
    asked = f"Options.TunnelOptions.{number}."
    found = f"<outsideIpAddress>{_outside(number)}</outsideIpAddress>"
    for name, element in _VALUES:
        if value := ec2._p(params, asked + name):
            found += f"<{element}>{value}</{element}>"
    for name, element in _LISTS:
        items, index = "", 1
        while value := ec2._p(params, f"{asked}{name}.{index}.Value"):
            items, index = f"{items}<item><value>{value}</value></item>", index + 1
        found += f"<{element}>{items}</{element}>" if items else ""
    return f"<item>{found}</item>"


def _outside(number: int) -> str:
    return f"192.0.2.{number}"


def _configuration() -> str:
    """The customer gateway's configuration, as far as the provider reads it."""
    tunnels = ""
    for number in (1, 2):
        sides = "".join(
            f"<{side}><tunnel_outside_address><ip_address>{outside}</ip_address></tunnel_outside_address>"
            f"<tunnel_inside_address><ip_address>169.254.{number}.{inside}</ip_address></tunnel_inside_address>"
            f"<bgp><asn>64512</asn><hold_time>30</hold_time></bgp></{side}>"
            for side, outside, inside in (("customer_gateway", "196.0.0.10", 2), ("vpn_gateway", _outside(number), 1))
        )
        tunnels += f"<ipsec_tunnel>{sides}<ike><pre_shared_key>key{number}</pre_shared_key></ike></ipsec_tunnel>"
    return escape(f"<vpn_connection>{tunnels}</vpn_connection>")


def create_vpn_connection(params: Any) -> Any:
    """CreateVpnConnection."""
    before = set(ec2._vpn_connections)
    _create(params)
    (name,) = set(ec2._vpn_connections) - before
    ec2._parse_tag_specs(params, "vpn-connection", name)
    _options[name] = "".join(_tunnel(params, number) for number in (1, 2))
    return ec2._xml(200, "CreateVpnConnectionResponse", vpn_xml(ec2._vpn_connections[name], "vpnConnection"))


def vpn_xml(vpn: Any, tag: str = "item") -> str:
    """A VPN connection, with what is known of its tunnels."""
    text: str = _plain(vpn, tag).replace("<transitGatewayId></transitGatewayId>", "")
    text = text.replace(
        "</options>", f"<tunnelOptionSet>{_options.get(vpn['VpnConnectionId'], '')}</tunnelOptionSet></options>"
    )
    more = f"<customerGatewayConfiguration>{_configuration()}</customerGatewayConfiguration>"
    return text.replace("</category>", f"</category>{more}")


def delete_vpn_connection(params: Any) -> Any:
    """DeleteVpnConnection."""
    name = ec2._p(params, "VpnConnectionId")
    _deleted[name] = ec2._vpn_connections.get(name)
    return _delete(params)


def describe_vpn_connections(params: Any) -> Any:
    """DescribeVpnConnections."""
    (name,) = ec2._parse_member_list(params, "VpnConnectionId") or [""]
    if gone := _deleted.get(name):
        return ec2._xml(200, "DescribeVpnConnectionsResponse", f"<vpnConnectionSet>{vpn_xml(gone)}</vpnConnectionSet>")
    return _describe(params)


_describe_nat = ec2._describe_nat_gateways


def describe_nat_gateways(params: Any) -> Any:
    """DescribeNatGateways."""
    status, headers, body = _describe_nat(params)
    parts = body.decode().split("<natGatewayAddressSet/>")
    text = parts[0]
    for part in parts[1:]:
        nat = ec2._nat_gateways[text.rsplit("<natGatewayId>", 1)[1].split("<", 1)[0]]
        subnet = ipaddress.ip_network(ec2._subnets[nat["SubnetId"]]["CidrBlock"])
        text += (
            f"<natGatewayAddressSet><item><allocationId>{nat['AllocationId']}</allocationId>"
            f"<privateIp>{subnet[7]}</privateIp></item></natGatewayAddressSet>{part}"
        )
    return status, headers, text.encode()


_permissions = ec2._parse_ip_permissions


def permissions(params: Any, prefix: str) -> Any:
    """IpPermissions of a request, with their prefix lists."""
    rules = _permissions(params, prefix)
    for index, rule in enumerate(rules, 1):
        asked = f"{prefix}.{index}.PrefixListIds.1."
        if name := ec2._p(params, asked + "PrefixListId"):
            rule["PrefixListIds"] = [{"PrefixListId": name, "Description": ec2._p(params, asked + "Description")}]
    return rules


_ranges: dict[str, tuple[str, str]] = {}  # second ranges of VPCs by the id of their association: VPC, range
_vpc_fields = ec2._vpc_fields_xml


def vpc_xml(vpc: Any, tag: str = "item") -> str:
    """A VPC, with its second ranges."""
    found = "".join(
        _range(name, cidr, "associated") for name, (owner, cidr) in _ranges.items() if owner == vpc["VpcId"]
    )
    text: str = _vpc_fields(vpc, tag)
    return text.replace("</cidrBlockAssociationSet>", found + "</cidrBlockAssociationSet>")


def _range(name: str, cidr: str, state: str, tag: str = "item") -> str:
    return (
        f"<{tag}><associationId>{name}</associationId><cidrBlock>{cidr}</cidrBlock>"
        f"<cidrBlockState><state>{state}</state></cidrBlockState></{tag}>"
    )


def associate_range(params: Any) -> Any:
    """AssociateVpcCidrBlock."""
    name, vpc, cidr = f"vpc-cidr-assoc-{len(_ranges):017x}", ec2._p(params, "VpcId"), ec2._p(params, "CidrBlock")
    _ranges[name] = (vpc, cidr)
    told = _range(name, cidr, "associating", "cidrBlockAssociation")
    return ec2._xml(200, "AssociateVpcCidrBlockResponse", f"{told}<vpcId>{vpc}</vpcId>")


def disassociate_range(params: Any) -> Any:
    """DisassociateVpcCidrBlock."""
    name = ec2._p(params, "AssociationId")
    vpc, cidr = _ranges.pop(name)
    told = _range(name, cidr, "disassociating", "cidrBlockAssociation")
    return ec2._xml(200, "DisassociateVpcCidrBlockResponse", f"{told}<vpcId>{vpc}</vpcId>")


_matches = ec2._matches_vpc_filters


def matches_vpc(vpc: Any, filters: Any) -> bool:
    """Whether DescribeVpcs is asked for this one, by the id of a range too."""
    asked = filters.get("cidr-block-association.association-id")
    return _matches(vpc, filters) and (
        asked is None or any(_ranges[one][0] == vpc["VpcId"] for one in asked if one in _ranges)
    )


# --- endpoints and flow logs ----------------------------------------------------------------------------------------

_create_endpoint, _endpoint_xml = ec2._create_vpc_endpoint, ec2._vpce_fields_xml
_create_flow, _describe_flow = ec2._create_flow_logs, ec2._describe_flow_logs
_asked: dict[str, str] = {}  # of endpoints and flow logs by id: the XML of what ministack does not keep


def create_endpoint(params: Any) -> Any:
    """CreateVpcEndpoint."""
    before = set(ec2._vpc_endpoints)
    _create_endpoint(params)
    (name,) = set(ec2._vpc_endpoints) - before
    groups = "".join(
        f"<item><groupId>{one}</groupId></item>" for one in ec2._parse_member_list(params, "SecurityGroupId")
    )
    _asked[name] = (
        f"<policyDocument>{escape(ec2._p(params, 'PolicyDocument'))}</policyDocument><groupSet>{groups}</groupSet>"
        f"<privateDnsEnabled>{ec2._p(params, 'PrivateDnsEnabled') or 'false'}</privateDnsEnabled>"
    )
    return ec2._xml(200, "CreateVpcEndpointResponse", endpoint_xml(ec2._vpc_endpoints[name], "vpcEndpoint"))


def endpoint_xml(endpoint: Any, tag: str = "item") -> str:
    """An endpoint, with its policy, groups and DNS."""
    text: str = _endpoint_xml(endpoint, tag)
    return text.replace("</serviceName>", f"</serviceName>{_asked.get(endpoint['VpcEndpointId'], '')}")


def create_flow(params: Any) -> Any:
    """CreateFlowLogs."""
    before = set(ec2._flow_logs)
    answer = _create_flow(params)
    for name in set(ec2._flow_logs) - before:
        _asked[name] = (
            f"<deliverLogsPermissionArn>{ec2._p(params, 'DeliverLogsPermissionArn')}</deliverLogsPermissionArn>"
            f"<maxAggregationInterval>{ec2._p(params, 'MaxAggregationInterval') or 600}</maxAggregationInterval>"
        )
    return answer


def describe_flow(params: Any) -> Any:
    """DescribeFlowLogs."""
    status, headers, body = _describe_flow(params)
    text = body.decode()
    for name, more in _asked.items():
        text = text.replace(f"<flowLogId>{name}</flowLogId>", f"<flowLogId>{name}</flowLogId>{more}")
    return status, headers, text.encode()


_gone: dict[str, Any] = {}  # gateways that were deleted, by id

# --- gateways -------------------------------------------------------------------------------------------------------


def tagged(kind: str, create: Any, store: Any) -> Any:
    """`create`, keeping the tags as the provider sends them."""

    def handler(params: Any) -> Any:
        before = set(store)
        answer = create(params)
        for name in set(store) - before:
            ec2._parse_tag_specs(params, kind, name)
        return answer

    return handler


def deleting(delete: Any, store: Any, attribute: str) -> Any:
    """`delete`, after which the gateway is to be seen as deleted."""

    def handler(params: Any) -> Any:
        name = ec2._p(params, attribute)
        gone = store.get(name)
        answer = delete(params)
        if gone is not None:
            _gone[name] = {**gone, "State": "deleted"}
        return answer

    return handler


def describing(describe: Any, store: Any, names: tuple[str, str], xml: Any, action: str, outer: str) -> Any:
    """`describe` by id, which the provider also says as a filter; what was deleted is still known."""

    def handler(params: Any) -> Any:
        wanted = ec2._parse_member_list(params, names[0]) or ec2._parse_filters(params).get(names[1])
        if not wanted:
            return describe(params)
        found = [one for one in ({**_gone, **dict(store.items())}.get(name) for name in wanted) if one is not None]
        return ec2._xml(200, f"{action}Response", f"<{outer}>{''.join(map(xml, found))}</{outer}>")

    return handler


def detach_gateway(params: Any) -> Any:
    """DetachVpnGateway: the attachment is to be seen as detached."""
    gateway = ec2._vpn_gateways[ec2._p(params, "VpnGatewayId")]
    gateway["Attachments"] = [{**one, "State": "detached"} for one in gateway["Attachments"]]
    return ec2._xml(200, "DetachVpnGatewayResponse", "<return>true</return>")


def install() -> None:
    """Put them in the place of ministack's."""
    ec2._vpn_conn_xml, ec2._parse_ip_permissions = vpn_xml, permissions
    ec2._vpce_fields_xml = endpoint_xml
    ec2._vpc_fields_xml, ec2._matches_vpc_filters = vpc_xml, matches_vpc
    ec2._ACTION_MAP |= {
        "AssociateVpcCidrBlock": associate_range,
        "DisassociateVpcCidrBlock": disassociate_range,
        "CreateVpnConnection": create_vpn_connection,
        "DeleteVpnConnection": delete_vpn_connection,
        "DescribeVpnConnections": describe_vpn_connections,
        "DescribeNatGateways": describe_nat_gateways,
        "CreateVpcEndpoint": create_endpoint,
        "CreateFlowLogs": create_flow,
        "DescribeFlowLogs": describe_flow,
        "CreateCustomerGateway": tagged("customer-gateway", ec2._create_customer_gateway, ec2._customer_gateways),
        "CreateVpnGateway": tagged("vpn-gateway", ec2._create_vpn_gateway, ec2._vpn_gateways),
        "DeleteCustomerGateway": deleting(ec2._delete_customer_gateway, ec2._customer_gateways, "CustomerGatewayId"),
        "DeleteVpnGateway": deleting(ec2._delete_vpn_gateway, ec2._vpn_gateways, "VpnGatewayId"),
        "DescribeCustomerGateways": describing(
            ec2._describe_customer_gateways,
            ec2._customer_gateways,
            ("CustomerGatewayId", "customer-gateway-id"),
            ec2._cgw_xml,
            "DescribeCustomerGateways",
            "customerGatewaySet",
        ),
        "DescribeVpnGateways": describing(
            ec2._describe_vpn_gateways,
            ec2._vpn_gateways,
            ("VpnGatewayId", "vpn-gateway-id"),
            ec2._vgw_xml,
            "DescribeVpnGateways",
            "vpnGatewaySet",
        ),
        "DetachVpnGateway": detach_gateway,
    }
