output "cli_environment" {
  description = "What the `jangada` command needs: save it with `terraform output -raw cli_environment > jangada.env`, then `. jangada.env`."
  value = join("", [for name, value in merge(
    local.environment,
    { AWS_DEFAULT_REGION = data.aws_region.this.id },
    length(local.egress_addresses) > 0 ? { JANGADA_EGRESS_ADDRESSES = join(" ", local.egress_addresses) } : {},
    ) :
    "export ${name}='${value}'\n" if !contains(["JANGADA_LOG_LEVEL", "JANGADA_SHARE"], name)
  ])
}

locals {
  egress_addresses = contains(local.egress_kinds, "nat") ? module.network[0].public_addresses : []
}

output "url" {
  description = "Where the API is."
  value       = module.api.url
}

output "domain_target" {
  description = "What the domain's record must lead to, where zone_id is not given."
  value       = module.api.domain_target
}

output "rest_api_id" {
  description = "Id of the REST API."
  value       = module.api.rest_api_id
}

output "queues" {
  description = "Every queue by its name in the code."
  value       = module.messaging.queues
}

output "planned_concurrency" {
  description = "Concurrent executions that the mappings and the API may take together."
  value       = local.planned
}

output "source_addresses" {
  description = "Addresses from which SMSCs behind a VPN see us, for the operator's form; empty without an SMSC."
  value       = one(module.network[*].source_addresses)
}

output "public_addresses" {
  description = "Addresses from which SMSCs on the internet see us; empty where there are none."
  value       = one(module.network[*].public_addresses)
}

output "egress_addresses" {
  description = "Addresses that aggregators with `egress: nat` must allow, one a zone: for their form or web site; empty where there is none."
  value       = local.egress_addresses
}

output "vpn_connections" {
  description = "Each VPN by aggregator: what the operator's form asks of us."
  value       = one(module.vpn[*].connections)
}

output "relay_repository_url" {
  description = "Where the relay's images are pushed to; null without an SMSC."
  value       = one(module.relay[*].repository_url)
}

output "relay_service" {
  description = "Cluster and service of the relay, as `jangada smsc check --ecs` takes them; null without an SMSC."
  value       = local.any_smsc ? "${module.relay[0].cluster_name}/${module.relay[0].service_name}" : null
}

output "page_topic_arn" {
  description = "SNS topic of outages."
  value       = module.observability.page_topic_arn
}

output "warn_topic_arn" {
  description = "SNS topic of what can wait until morning."
  value       = module.observability.warn_topic_arn
}
