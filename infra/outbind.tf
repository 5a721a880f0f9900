################################################################################
# SMSCs that open the connection themselves (outbind, docs/smsc/smpp.md): an internal load balancer with addresses that
# never change, in the networks from which the operators see us anyway. Nothing of it where no file has outbind_port.
################################################################################

locals {
  outbinds = { for name, one in local.smscs : name => {
    port     = tonumber(one.config.outbind_port)
    networks = toset(one.config.outbind_networks)
  } if can(tonumber(one.config.outbind_port) + length(one.config.outbind_networks)) }

  # The addresses after those of the NAT gateways: the twelfth of each half.
  outbind_addresses = length(local.outbinds) > 0 ? [for half in [0, 1] : cidrhost(cidrsubnet(var.network.source_cidr, 1, half), 11)] : []

  outbind_ports = [for one in values(local.outbinds) : one.port]

  # Networks that no VPN leads to, by whole octets of addresses: the load balancer cannot be reached from there.
  outbind_strangers = flatten([for name, one in local.outbinds : [for network in one.networks : "${name}: ${network}"
    if !anytrue([for known in local.networks : tonumber(split("/", network)[1]) >= tonumber(split("/", known)[1]) &&
    cidrhost("${split("/", network)[0]}/${split("/", known)[1]}", 0) == cidrhost(known, 0)])
  ]])
}

resource "terraform_data" "outbind" {
  count = length(local.outbinds) > 0 ? 1 : 0
  input = sort(keys(local.outbinds))

  lifecycle {
    precondition {
      condition     = length(distinct(local.outbind_ports)) == length(local.outbind_ports) && !contains(local.outbind_ports, 8080)
      error_message = "Each outbind_port must be another, and none 8080: ${join(", ", [for name, one in local.outbinds : "${name} has ${one.port}"])}."
    }

    precondition {
      condition     = length(local.outbinds) <= 5
      error_message = "At most five SMSCs may have outbind_port: Amazon ECS takes five target groups a service."
    }

    precondition {
      condition     = length(local.outbind_strangers) == 0
      error_message = "Outbinds come through a VPN only, and none has under vpn.their_networks: ${join(", ", local.outbind_strangers)}."
    }
  }
}

output "outbind_addresses" {
  description = "Addresses that SMSCs with `outbind_port` connect to, one a zone, for the operator's form; empty where there is none."
  value       = local.outbind_addresses
}
