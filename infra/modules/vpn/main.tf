locals {
  transit = var.transit_gateway != null

  networks = flatten([for name, one in var.connections : [for network in one.their_networks : { name = name, network = network }]])

  # Networks a and b overlap when both have the same beginning under the shorter of their two masks.
  ours = [for network in concat(var.vpc_networks, [var.source_cidr]) : { name = "this deployment", network = network }]
  all  = concat(local.ours, local.networks)
  overlaps = [for pair in setproduct(range(length(local.all)), range(length(local.all))) :
    "${local.all[pair[0]].network} (${local.all[pair[0]].name}) and ${local.all[pair[1]].network} (${local.all[pair[1]].name})"
    if pair[0] < pair[1] && pair[1] >= length(local.ours) && local.all[pair[0]].name != local.all[pair[1]].name
    && cidrhost("${split("/", local.all[pair[0]].network)[0]}/${min(split("/", local.all[pair[0]].network)[1], split("/", local.all[pair[1]].network)[1])}", 0)
    == cidrhost("${split("/", local.all[pair[1]].network)[0]}/${min(split("/", local.all[pair[0]].network)[1], split("/", local.all[pair[1]].network)[1])}", 0)
  ]

  # AWS makes one pair of security associations. With one network a side this is what an operator's form says; with
  # several, all traffic is offered, and the routes say what goes in.
  selectors = { for name, one in var.connections : name =>
    one.selector != null ? one.selector : length(one.their_networks) == 1 ? one.their_networks[0] : "0.0.0.0/0"
  }

  static = { for one in local.networks : "${one.name} ${one.network}" => one if var.connections[one.name].routing == "static" }
}

resource "terraform_data" "networks" {
  input = sort([for one in local.networks : one.network])

  lifecycle {
    precondition {
      condition     = length(local.overlaps) == 0
      error_message = "Networks overlap, and a packet could go to either: ${join("; ", local.overlaps)}. Ask the operator for an address translated on their side, or choose other cidr and source_cidr."
    }
  }
}

################################################################################
# Our end
################################################################################

resource "aws_vpn_gateway" "this" {
  count = local.transit ? 0 : 1

  vpc_id = var.vpc_id

  tags = { Name = var.name }

  depends_on = [terraform_data.networks]
}

resource "aws_vpn_gateway_route_propagation" "this" {
  count = local.transit ? 0 : 1

  vpn_gateway_id = aws_vpn_gateway.this[0].id
  route_table_id = var.source_route_table_id
}

resource "aws_ec2_transit_gateway_vpc_attachment" "this" {
  count = local.transit ? 1 : 0

  transit_gateway_id = var.transit_gateway.id
  vpc_id             = var.vpc_id
  subnet_ids         = var.source_subnet_ids

  tags = { Name = var.name }

  depends_on = [terraform_data.networks]
}

resource "aws_route" "transit" {
  for_each = local.transit ? toset([for one in local.networks : one.network]) : []

  route_table_id         = var.source_route_table_id
  destination_cidr_block = each.value
  transit_gateway_id     = var.transit_gateway.id

  depends_on = [aws_ec2_transit_gateway_vpc_attachment.this]
}

################################################################################
# Their end, and the tunnels
################################################################################

resource "aws_customer_gateway" "this" {
  for_each = var.connections

  type       = "ipsec.1"
  ip_address = each.value.peer_ip
  bgp_asn    = each.value.bgp_asn

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_cloudwatch_log_group" "tunnels" {
  for_each = var.connections

  name              = "/jangada/${var.name}/vpn/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_vpn_connection" "this" {
  for_each = var.connections

  type                = "ipsec.1"
  customer_gateway_id = aws_customer_gateway.this[each.key].id
  vpn_gateway_id      = local.transit ? null : aws_vpn_gateway.this[0].id
  transit_gateway_id  = local.transit ? var.transit_gateway.id : null
  static_routes_only  = each.value.routing == "static"

  local_ipv4_network_cidr  = local.selectors[each.key] # "local" is the customer gateway's side
  remote_ipv4_network_cidr = var.source_cidr

  # AWS begins the negotiation, and begins again when the peer is gone: nobody's traffic has to wake a tunnel up.
  tunnel1_startup_action               = "start"
  tunnel1_dpd_timeout_action           = "restart"
  tunnel1_dpd_timeout_seconds          = 30
  tunnel1_ike_versions                 = each.value.ike.versions
  tunnel1_phase1_encryption_algorithms = each.value.ike.phase1.encryption
  tunnel1_phase1_integrity_algorithms  = each.value.ike.phase1.integrity
  tunnel1_phase1_dh_group_numbers      = each.value.ike.phase1.dh_groups
  tunnel1_phase1_lifetime_seconds      = each.value.ike.phase1.lifetime
  tunnel1_phase2_encryption_algorithms = each.value.ike.phase2.encryption
  tunnel1_phase2_integrity_algorithms  = each.value.ike.phase2.integrity
  tunnel1_phase2_dh_group_numbers      = each.value.ike.phase2.dh_groups
  tunnel1_phase2_lifetime_seconds      = each.value.ike.phase2.lifetime

  tunnel1_log_options {
    cloudwatch_log_options {
      log_enabled       = true
      log_group_arn     = aws_cloudwatch_log_group.tunnels[each.key].arn
      log_output_format = "json"
    }
  }

  tunnel2_startup_action               = "start"
  tunnel2_dpd_timeout_action           = "restart"
  tunnel2_dpd_timeout_seconds          = 30
  tunnel2_ike_versions                 = each.value.ike.versions
  tunnel2_phase1_encryption_algorithms = each.value.ike.phase1.encryption
  tunnel2_phase1_integrity_algorithms  = each.value.ike.phase1.integrity
  tunnel2_phase1_dh_group_numbers      = each.value.ike.phase1.dh_groups
  tunnel2_phase1_lifetime_seconds      = each.value.ike.phase1.lifetime
  tunnel2_phase2_encryption_algorithms = each.value.ike.phase2.encryption
  tunnel2_phase2_integrity_algorithms  = each.value.ike.phase2.integrity
  tunnel2_phase2_dh_group_numbers      = each.value.ike.phase2.dh_groups
  tunnel2_phase2_lifetime_seconds      = each.value.ike.phase2.lifetime

  tunnel2_log_options {
    cloudwatch_log_options {
      log_enabled       = true
      log_group_arn     = aws_cloudwatch_log_group.tunnels[each.key].arn
      log_output_format = "json"
    }
  }

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpn_connection_route" "this" {
  for_each = local.transit ? {} : local.static

  vpn_connection_id      = aws_vpn_connection.this[each.value.name].id
  destination_cidr_block = each.value.network
}

resource "aws_ec2_transit_gateway_route" "this" {
  for_each = local.transit ? local.static : {}

  destination_cidr_block         = each.value.network
  transit_gateway_attachment_id  = aws_vpn_connection.this[each.value.name].transit_gateway_attachment_id
  transit_gateway_route_table_id = var.transit_gateway.route_table_id
}

################################################################################
# Alarms: one tunnel is a warning, two are an outage
################################################################################

resource "aws_cloudwatch_metric_alarm" "tunnel" {
  for_each = { for pair in setproduct(keys(var.connections), [1, 2]) : "${pair[0]}-${pair[1]}" => { name = pair[0], tunnel = pair[1] } }

  alarm_name          = "${var.name}-vpn-${each.key}-down"
  alarm_description   = "Tunnel ${each.value.tunnel} of the VPN to ${each.value.name} is down; messages go through the other one. Run: aws ec2 describe-vpn-connections --vpn-connection-ids ${aws_vpn_connection.this[each.value.name].id} --query 'VpnConnections[].VgwTelemetry'. Call: the operator's NOC, if it is still down after an hour (jangada aggregator show ${each.value.name})"
  namespace           = "AWS/VPN"
  metric_name         = "TunnelState"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.warn_topic_arn]
  ok_actions          = [var.warn_topic_arn]

  dimensions = {
    VpnId           = aws_vpn_connection.this[each.value.name].id
    TunnelIpAddress = each.value.tunnel == 1 ? aws_vpn_connection.this[each.value.name].tunnel1_address : aws_vpn_connection.this[each.value.name].tunnel2_address
  }
}

resource "aws_cloudwatch_metric_alarm" "both" {
  for_each = var.connections

  alarm_name          = "${var.name}-vpn-${each.key}-both-down"
  alarm_description   = "Both tunnels of the VPN to ${each.key} are down: nothing goes there, its messages wait in lane-${each.key}. Run: aws logs tail /jangada/${var.name}/vpn/${each.key} --since 30m. Call: the operator's NOC (jangada aggregator show ${each.key})"
  namespace           = "AWS/VPN"
  metric_name         = "TunnelState"
  statistic           = "Maximum" # over both tunnels
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.page_topic_arn]
  ok_actions          = [var.page_topic_arn]

  dimensions = { VpnId = aws_vpn_connection.this[each.key].id }
}
