data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  name       = "jangada-${var.stage}"
  prefix     = "${local.name}-"
  ssm_prefix = "/jangada/${var.stage}"

  # What tells the code where it is (docs/architecture.md): the same for functions and relay.
  environment = merge(
    {
      JANGADA_PREFIX     = local.prefix
      JANGADA_QUEUE_BASE = module.messaging.queue_base
      JANGADA_SSM_PREFIX = local.ssm_prefix
      JANGADA_DOMAIN     = var.domain
      JANGADA_LOG_LEVEL  = var.log_level
      JANGADA_SHARE      = tostring(max(1, floor(var.concurrency.shared / 4)))
      JANGADA_KMS_KEY    = module.state.kms_key_arn
    },
    var.allow_private ? { JANGADA_ALLOW_PRIVATE = "1" } : {},
  )

  sender = { for name in local.http_lanes : name => can(local.egress[name]) ? "send_${local.egress[name]}" : "send" }

  # Which function each queue feeds; lanes of SMSCs feed the relay.
  mappings = merge(
    {
      outbound         = { function = "route", concurrency = var.concurrency.route }
      outbound-bulk    = { function = "route_bulk", concurrency = var.concurrency.route_bulk }
      events           = { function = "record", concurrency = var.concurrency.record }
      later            = { function = "later", concurrency = var.concurrency.later }
      lane-shared      = { function = "send", concurrency = var.concurrency.shared }
      lane-shared-bulk = { function = "send", concurrency = max(2, floor(var.concurrency.shared / 2)) }
    },
    { for name in local.http_lanes : "lane-${name}" => { function = local.sender[name], concurrency = try(var.lane_concurrency[name], var.concurrency.lane) } },
    { for name in local.http_lanes : "lane-${name}-bulk" => { function = local.sender[name], concurrency = max(2, floor(try(var.lane_concurrency[name], var.concurrency.lane) / 2)) } },
    { for name, platform in local.platforms : "deliver-${name}" => { function = "deliver", concurrency = max(2, platform.concurrency) } },
  )

  planned = sum([for mapping in values(local.mappings) : mapping.concurrency]) + var.concurrency.api
}

################################################################################
# What is refused before anything is made
################################################################################

resource "terraform_data" "checks" {
  input = sort(keys(local.aggregators))

  lifecycle {
    precondition {
      condition     = local.planned <= var.account_concurrency
      error_message = "The mappings and the API may take ${local.planned} concurrent executions together, and the account has ${var.account_concurrency}: ask for more in Service Quotas and set account_concurrency, or lower concurrency, lane_concurrency or the platforms' own."
    }

    precondition {
      condition     = var.concurrency.api <= var.account_concurrency - 100
      error_message = "concurrency.api reserves ${var.concurrency.api} of the account's ${var.account_concurrency} concurrent executions, and AWS Lambda wants 100 left unreserved: ask for more in Service Quotas and set account_concurrency, or lower concurrency.api."
    }

    precondition {
      condition     = length(setsubtract(keys(var.lane_concurrency), local.http_lanes)) == 0
      error_message = "lane_concurrency names ${join(", ", setsubtract(keys(var.lane_concurrency), local.http_lanes))}, which has no lane of its own: write `lane: own` into its file."
    }

    precondition {
      condition     = length(setsubtract(local.named_platforms, keys(local.platforms))) == 0
      error_message = "Channels name the platforms ${join(", ", setsubtract(local.named_platforms, keys(local.platforms)))}, which no file has under `platforms:`; they would have no queue."
    }

    precondition {
      condition     = length(setsubtract(setunion(var.alarms.without_receipts, keys(var.alarms.usual_hours)), keys(local.aggregators))) == 0
      error_message = "alarms names ${join(", ", setsubtract(setunion(var.alarms.without_receipts, keys(var.alarms.usual_hours)), keys(local.aggregators)))}, which no file describes."
    }

    precondition {
      condition     = length(local.egress_slips) == 0
      error_message = "${join("; ", local.egress_slips)} (docs/aggregators.md)."
    }

    precondition {
      condition     = length(local.vpn_slips) == 0
      error_message = "Unknown keys: ${join(", ", local.vpn_slips)}. There are peer_ip, their_networks, routing, bgp_asn, selector and ike; in ike version, phase1 and phase2; in a phase encryption, integrity, dh_groups and lifetime."
    }

    precondition {
      condition     = length(local.vpn_blanks) == 0
      error_message = "Missing: ${join(", ", local.vpn_blanks)}. A VPN needs the other side's peer_ip and their_networks."
    }

    precondition {
      condition     = length(local.nowhere) == 0
      error_message = "The relay may connect to addresses only, and ${join(", ", local.nowhere)} is a name: write its IP address, or say under vpn.their_networks where it is."
    }
  }
}

################################################################################
# Queues and state
################################################################################

module "state" {
  source = "./modules/state"

  prefix              = local.prefix
  ssm_prefix          = local.ssm_prefix
  deletion_protection = var.deletion_protection
}

module "messaging" {
  source = "./modules/messaging"

  prefix      = local.prefix
  http_lanes  = local.http_lanes
  smsc_lanes  = local.smsc_names
  platforms   = toset(keys(local.platforms))
  producers   = var.producers
  kms_key_arn = var.encrypt_queues_with_key ? module.state.kms_key_arn : null
}

################################################################################
# Functions and API
################################################################################

module "api" {
  source = "./modules/api"

  name             = local.name
  domain           = var.domain
  certificate_arn  = var.certificate_arn
  zone_id          = var.zone_id
  default_endpoint = var.default_endpoint
  environment      = local.environment
  queues           = module.messaging.queues
  mappings         = local.mappings
  schedules        = length(local.canaries) > 0
  networks = { for kind in local.egress_kinds : "send_${kind}" => merge(module.network[0].functions["send_${kind}"], {
    environment = kind == "vpc" ? { JANGADA_ALLOW_PRIVATE = "1" } : {} # whom it may reach there, its security group says
    secrets     = [for name in length(local.egress) <= 40 ? [for name, one in local.egress : name if one == kind] : ["*"] : "${module.state.parameter_arns["aggregators"]}${name}"]
    tokens      = [for name in length(local.egress) <= 40 ? [for name, one in local.egress : name if one == kind] : ["*"] : "${module.state.parameter_arns["tokens"]}${name}"]
  }) }
  queue_pattern_arn    = "arn:${data.aws_partition.this.partition}:sqs:${data.aws_region.this.id}:${data.aws_caller_identity.this.account_id}:${local.prefix}"
  table_arns           = module.state.table_arns
  kms_key_arn          = module.state.kms_key_arn
  throttle             = var.throttle
  rate_limits          = var.rate_limits
  reserved_concurrency = var.concurrency.api
  manage_account       = var.manage_api_gateway_account
  log_retention_days   = var.log_retention_days

  # One parameter each; beyond forty, their path stands for them, as for the lanes.
  parameter_arns = {
    aggregators = [for name in length(local.aggregators) <= 40 ? keys(local.https) : ["*"] : "${module.state.parameter_arns["aggregators"]}${name}"]
    platforms   = [for name in length(local.platforms) <= 40 ? keys(local.platforms) : ["*"] : "${module.state.parameter_arns["platforms"]}${name}"]
    tokens      = [for name in length(local.aggregators) <= 40 ? keys(local.https) : ["*"] : "${module.state.parameter_arns["tokens"]}${name}"]
  }
}

################################################################################
# The relay, its ways to the SMSCs, and those of functions with an egress: nothing of it where there is neither
################################################################################

module "network" {
  source = "./modules/network"
  count  = local.any_network ? 1 : 0

  name               = local.name
  cidr               = var.network.cidr
  source_cidr        = var.network.source_cidr
  zones              = var.network.zones
  source_zone        = var.network.source_zone
  smsc_networks      = local.any_source ? local.networks : []
  relay              = local.any_smsc
  sources            = local.any_source
  nat                = contains(local.egress_kinds, "nat")
  function_endpoints = local.function_endpoints
  internet           = anytrue([for one in local.hosts : !local.behind["${one.name} ${one.host}"]])
  kms_key_arn        = module.state.kms_key_arn
  log_retention_days = var.log_retention_days
}

module "vpn" {
  source = "./modules/vpn"
  count  = local.any_source && length(local.vpns) > 0 ? 1 : 0

  name                  = local.name
  connections           = local.vpns
  vpc_id                = module.network[0].vpc_id
  vpc_networks          = [var.network.cidr]
  source_cidr           = var.network.source_cidr
  source_subnet_ids     = module.network[0].source_subnet_ids
  source_route_table_id = module.network[0].source_route_table_id
  transit_gateway       = var.transit_gateway
  warn_topic_arn        = module.observability.warn_topic_arn
  page_topic_arn        = module.observability.page_topic_arn
  kms_key_arn           = module.state.kms_key_arn
  log_retention_days    = var.log_retention_days
}

module "relay" {
  source = "./modules/relay"
  count  = local.any_smsc ? 1 : 0

  name                       = local.name
  image                      = var.relay.image
  image_tag                  = var.relay.image_tag
  tasks                      = var.relay.tasks
  architecture               = var.relay.architecture
  cpu                        = var.relay.cpu
  memory                     = var.relay.memory
  environment                = local.environment
  lanes                      = { for pair in setproduct(keys(local.smscs), ["", "-bulk"]) : "lane-${pair[0]}${pair[1]}" => module.messaging.queues["lane-${pair[0]}${pair[1]}"] }
  send_to                    = [module.messaging.queues["events"].arn, module.messaging.queues["later"].arn, module.messaging.queues["events"].dlq_arn]
  table_arns                 = module.state.table_arns
  parameter_arns             = [for name in keys(local.smscs) : "${module.state.parameter_arns["aggregators"]}${name}"]
  endpoints                  = local.endpoints
  outbinds                   = local.outbinds
  outbind_subnets            = [for index, address in local.outbind_addresses : { subnet_id = module.network[0].source_subnet_ids[index], address = address }]
  vpc_id                     = module.network[0].vpc_id
  subnet_ids                 = module.network[0].private_subnet_ids
  endpoint_security_group_id = module.network[0].endpoint_security_group_id
  gateway_prefix_list_ids    = module.network[0].gateway_prefix_list_ids
  kms_key_arn                = module.state.kms_key_arn
  log_retention_days         = var.log_retention_days
}

################################################################################
# Alarms and dashboard
################################################################################

module "observability" {
  source = "./modules/observability"

  name                  = local.name
  emails                = var.emails
  kms_key_arn           = module.state.kms_key_arn
  queues                = module.messaging.queues
  in_flight_cap         = var.alarms.in_flight_cap
  limits                = var.alarms.limits
  without_receipts      = local.without_receipts
  usual_hours           = var.alarms.usual_hours
  contacts              = local.contacts
  http_aggregators      = toset(keys(local.https))
  smscs                 = local.smsc_names
  canaries              = local.canaries
  platforms             = toset(keys(local.platforms))
  api_name              = module.api.rest_api_name
  stage_name            = module.api.stage_name
  access_log_group_name = module.api.access_log_group_name
  function_names        = module.api.function_names

  relay = local.any_smsc ? {
    cluster   = module.relay[0].cluster_name
    service   = module.relay[0].service_name
    log_group = module.relay[0].log_group_name
    tasks     = var.relay.tasks
  } : null
}
