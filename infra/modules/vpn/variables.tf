variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name must be 2 to 41 of a-z, 0-9 and -, and begin with a letter."
  }
}

variable "connections" {
  description = <<-EOT
    VPNs by the name of their aggregator, as the key `vpn` of its file says it, with defaults filled in:
    peer_ip: public address of the other side's gateway. their_networks: what is behind it.
    routing: static or bgp; bgp_asn: the other side's, for bgp. selector: the one network that is agreed on as theirs
    when they have several ("0.0.0.0/0" where nothing is agreed on). ike: versions, and for phase 1 and phase 2 the
    algorithms that AWS may propose (encryption, integrity, dh_groups) and the lifetime in seconds.
  EOT
  type = map(object({
    peer_ip        = string
    their_networks = list(string)
    routing        = optional(string, "static")
    bgp_asn        = optional(number, 65000)
    selector       = optional(string)
    ike = optional(object({
      versions = optional(list(string), ["ikev2"])
      phase1 = optional(object({
        encryption = optional(list(string), ["AES256"])
        integrity  = optional(list(string), ["SHA2-256"])
        dh_groups  = optional(list(number), [14])
        lifetime   = optional(number, 28800)
      }), {})
      phase2 = optional(object({
        encryption = optional(list(string), ["AES256"])
        integrity  = optional(list(string), ["SHA2-256"])
        dh_groups  = optional(list(number), [14])
        lifetime   = optional(number, 3600)
      }), {})
    }), {})
  }))

  validation {
    condition     = alltrue([for one in values(var.connections) : can(cidrnetmask("${one.peer_ip}/32"))])
    error_message = "vpn.peer_ip must be the public IPv4 address of the other side's gateway, e.g. 196.0.0.10."
  }

  validation {
    condition     = length(distinct([for one in values(var.connections) : one.peer_ip])) == length(var.connections)
    error_message = "Two aggregators have the same vpn.peer_ip. One VPN serves both: leave `vpn` out of the second file, and list its networks in the first one's their_networks."
  }

  validation {
    condition = alltrue([for one in values(var.connections) :
      length(one.their_networks) > 0 && alltrue([for network in one.their_networks : can(cidrnetmask(network))
    && try(cidrsubnet(network, 0, 0) == network, false)])])
    error_message = "vpn.their_networks must be a list of IPv4 networks without host bits, e.g. [10.64.10.0/24]."
  }

  validation {
    condition     = alltrue([for one in values(var.connections) : contains(["static", "bgp"], one.routing)])
    error_message = "vpn.routing must be static or bgp."
  }

  validation {
    condition     = alltrue([for one in values(var.connections) : alltrue([for version in one.ike.versions : contains(["ikev1", "ikev2"], version)])])
    error_message = "vpn.ike.version must be 1, 2 or [1, 2]."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.connections) : [for phase in [one.ike.phase1, one.ike.phase2] : [for algorithm in phase.encryption :
    contains(["AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16"], algorithm)]]]))
    error_message = "vpn.ike: encryption must be among AES128, AES256, AES128-GCM-16, AES256-GCM-16; AWS has no others (3DES is gone)."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.connections) : [for phase in [one.ike.phase1, one.ike.phase2] : [for algorithm in phase.integrity :
    contains(["SHA1", "SHA2-256", "SHA2-384", "SHA2-512"], algorithm)]]]))
    error_message = "vpn.ike: integrity must be among SHA1, SHA2-256, SHA2-384, SHA2-512; AWS has no others (MD5 is gone)."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.connections) : [
      [for group in one.ike.phase1.dh_groups : contains([2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24], group)],
      [for group in one.ike.phase2.dh_groups : contains([2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24], group)],
    ]]))
    error_message = "vpn.ike: dh_groups must be among 2 and 14 to 24; phase 2 also takes 5."
  }

  validation {
    condition = alltrue([for one in values(var.connections) :
      one.ike.phase1.lifetime >= 900 && one.ike.phase1.lifetime <= 28800
      && one.ike.phase2.lifetime >= 900 && one.ike.phase2.lifetime <= 3600
    && one.ike.phase2.lifetime < one.ike.phase1.lifetime])
    error_message = "vpn.ike: lifetime must be 900 to 28800 s in phase 1, 900 to 3600 s in phase 2, and shorter in phase 2. Where the other side has longer ones, tell them these: the shorter one wins."
  }
}

variable "vpc_id" {
  description = "VPC that the VPNs end in."
  type        = string

  validation {
    condition     = can(regex("^vpc-", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, vpc-..."
  }
}

variable "vpc_networks" {
  description = "Networks of the VPC, which no network of an SMSC may overlap with."
  type        = list(string)

  validation {
    condition     = alltrue([for one in var.vpc_networks : can(cidrnetmask(one))])
    error_message = "vpc_networks must be IPv4 networks, e.g. 10.213.64.0/24."
  }
}

variable "source_cidr" {
  description = "Network from which the SMSCs see us: our side of the one pair of traffic selectors."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.source_cidr))
    error_message = "source_cidr must be an IPv4 network, e.g. 10.213.65.0/27."
  }
}

variable "source_subnet_ids" {
  description = "Subnets of that network; a transit gateway is attached to them."
  type        = list(string)

  validation {
    condition     = length(var.source_subnet_ids) == 2 && alltrue([for one in var.source_subnet_ids : can(regex("^subnet-", one))])
    error_message = "source_subnet_ids must be the ids of two subnets, subnet-..."
  }
}

variable "source_route_table_id" {
  description = "Route table of those subnets."
  type        = string

  validation {
    condition     = can(regex("^rtb-", var.source_route_table_id))
    error_message = "source_route_table_id must be the id of a route table, rtb-..."
  }
}

variable "transit_gateway" {
  description = "End the VPNs in this transit gateway (id, and id of the route table its attachments use) instead of a virtual private gateway of the VPC's own."
  type = object({
    id             = string
    route_table_id = string
  })
  default = null

  validation {
    condition     = var.transit_gateway == null || can(regex("^tgw-[0-9a-f]+ tgw-rtb-[0-9a-f]+$", "${var.transit_gateway.id} ${var.transit_gateway.route_table_id}"))
    error_message = "transit_gateway must have an id, tgw-..., and a route_table_id, tgw-rtb-..."
  }
}

variable "warn_topic_arn" {
  description = "SNS topic that hears of one tunnel being down."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:", var.warn_topic_arn))
    error_message = "warn_topic_arn must be the ARN of an SNS topic."
  }
}

variable "page_topic_arn" {
  description = "SNS topic that hears of both tunnels being down."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:", var.page_topic_arn))
    error_message = "page_topic_arn must be the ARN of an SNS topic."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that the tunnels' logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827."
  }
}
