variable "stage" {
  description = "Name of this deployment among those of the account and region, e.g. prod. Queues, tables and functions are called jangada-<stage>-...; it cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.stage)) && !strcontains(var.stage, "--")
    error_message = "stage must be 2 to 16 of a-z, 0-9 and -, and begin with a letter."
  }
}

variable "aggregators_dir" {
  description = "Folder with the aggregator files, *.yaml or *.yml (docs/aggregators.md). They say which queues, mappings, VPNs and alarms there are."
  type        = string

  validation {
    condition     = length(fileset(var.aggregators_dir, "*.{yaml,yml}")) > 0
    error_message = "aggregators_dir holds no *.yaml: put one file per aggregator there."
  }
}

variable "domain" {
  description = "Public host of the API, e.g. sms.example.org: of the callback URLs, and of POST /send."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a host name in small letters, e.g. sms.example.org, without https://."
  }
}

variable "certificate_arn" {
  description = "ACM certificate for the domain, in the deployment's region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate in the deployment's region."
  }
}

variable "zone_id" {
  description = "Route 53 zone in which the domain gets its record; null: make the record yourself (output domain_target)."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null || can(regex("^[A-Z0-9]+$", var.zone_id))
    error_message = "zone_id must be the id of a Route 53 zone, e.g. Z0123456789ABCDEFGHIJ, or null."
  }
}

variable "default_endpoint" {
  description = "Serve the API on execute-api's host too."
  type        = bool
  default     = false
}

variable "producers" {
  description = "ARNs of IAM principals of other accounts that may put records into outbound.fifo and outbound-bulk.fifo."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.producers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|role/.+|user/.+)$", arn))])
    error_message = "producers must be ARNs of accounts, roles or users, e.g. arn:aws:iam::123456789012:role/mailroom."
  }
}

variable "emails" {
  description = "Who hears of alarms: page (outages) and warn (what can wait until morning)."
  type = object({
    page = optional(list(string), [])
    warn = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for one in concat(var.emails.page, var.emails.warn) : can(regex("^[^@ ]+@[^@ ]+$", one))])
    error_message = "emails must be lists of addresses, page and warn."
  }
}

variable "alarms" {
  description = "What the alarms measure by. in_flight_cap: of the region's queues. limits: of 15 minutes, in messages (in_doubt, receipts_from) and per cent (parked). without_receipts: aggregators that send none. usual_hours: aggregators that always have traffic between two hours (UTC), `metrics` received or sent."
  type = object({
    in_flight_cap = optional(number, 120000)
    limits = optional(object({
      in_doubt      = optional(number, 10)
      receipts_from = optional(number, 20)
      parked        = optional(number, 20)
    }), {})
    without_receipts = optional(set(string), [])
    usual_hours = optional(map(object({
      from    = number
      to      = number
      metrics = optional(set(string), ["received"])
    })), {})
  })
  default = {}

  validation {
    condition     = alltrue([for one in values(var.alarms.usual_hours) : one.from >= 0 && one.from <= 24 && one.to >= 0 && one.to <= 24])
    error_message = "alarms.usual_hours must be hours of the day (UTC), 0 to 24."
  }
}

variable "encrypt_queues_with_key" {
  description = "Encrypt the queues with the deployment's own KMS key, for the price of its calls; false: with SQS's own keys."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Refuse to delete the tables. Set to false, and apply, before a deployment is destroyed."
  type        = bool
  default     = true
}

variable "network" {
  description = "Network of the VPC that the relay runs in, the one from which SMSCs see it, and the names of its two zones (null: the region's first two). source_zone: a or b, where all must come from one address. Made only where there is an SMSC."
  type = object({
    zones       = optional(list(string))
    cidr        = optional(string, "10.213.64.0/24")
    source_cidr = optional(string, "10.213.65.0/27")
    source_zone = optional(string)
  })
  default = {}

  validation {
    condition     = alltrue([for one in [var.network.cidr, var.network.source_cidr] : can(cidrnetmask(one))])
    error_message = "network.cidr and network.source_cidr must be IPv4 networks, e.g. 10.213.64.0/24 and 10.213.65.0/27."
  }
}

variable "transit_gateway" {
  description = "End the VPNs in this transit gateway instead of a virtual private gateway: its id, and that of the route table its attachments use."
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

variable "relay" {
  description = "The relay: its image (null: the deployment's own repository with image_tag), tasks, and the architecture, CPU units and MB of memory of each."
  type = object({
    image        = optional(string)
    image_tag    = optional(string, "v1")
    tasks        = optional(number, 2)
    architecture = optional(string, "arm64")
    cpu          = optional(number, 512)
    memory       = optional(number, 1024)
  })
  default = {}

  validation {
    condition     = var.relay.tasks >= 1 && var.relay.tasks <= 10
    error_message = "relay.tasks must be 1 to 10; 2 or more for a zone to be lost without an outage."
  }
}

variable "concurrency" {
  description = "How many invocations may run at a time: for each queue of a kind (lane: own lanes of HTTP aggregators; bulk lanes get half), and what is reserved for the API. Platforms say their own, in their file."
  type = object({
    route      = optional(number, 20)
    route_bulk = optional(number, 10)
    shared     = optional(number, 20)
    lane       = optional(number, 10)
    record     = optional(number, 50)
    later      = optional(number, 5)
    api        = optional(number, 200)
  })
  default = {}

  validation {
    condition     = alltrue([for count in values(var.concurrency) : count >= 2 && count <= 1000])
    error_message = "concurrency must be 2 to 1000 each."
  }
}

variable "lane_concurrency" {
  description = "Concurrency of single aggregators' own lanes, by name, where it differs from concurrency.lane."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for count in values(var.lane_concurrency) : count >= 2 && count <= 1000])
    error_message = "lane_concurrency must be 2 to 1000 each."
  }
}

variable "account_concurrency" {
  description = "Concurrent executions that the account may have in this region (aws lambda get-account-settings). New accounts may have 10: ask for more in Service Quotas before the first deployment."
  type        = number
  default     = 1000

  validation {
    condition     = var.account_concurrency >= 10
    error_message = "account_concurrency must be 10 or more."
  }
}

variable "throttle" {
  description = "Requests a second that the API takes (rate), and how many at once (burst)."
  type = object({
    rate  = optional(number, 1000)
    burst = optional(number, 2000)
  })
  default = {}

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= var.throttle.rate
    error_message = "throttle.rate must be 1 or more, and burst no less."
  }
}

variable "rate_limits" {
  description = "Requests that the firewall takes from one address in five minutes: callbacks, send, others; null: as many as come. An aggregator sends everything from one or two addresses."
  type = object({
    callbacks = optional(number)
    send      = optional(number)
    others    = optional(number, 300)
  })
  default = {}

  validation {
    condition     = alltrue([for limit in values(var.rate_limits) : limit == null ? true : limit >= 10 && limit <= 2000000000])
    error_message = "rate_limits must be 10 to 2,000,000,000 each (AWS WAF developer guide)."
  }
}

variable "manage_api_gateway_account" {
  description = "Let API Gateway write logs in this account and region, one setting for both; false where it is managed elsewhere."
  type        = bool
  default     = true
}

variable "log_level" {
  description = "Level of the functions' and the relay's logs (JANGADA_LOG_LEVEL)."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept. They hold no text and no full number."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827."
  }
}

variable "allow_private" {
  description = "Let channels and platforms live on private addresses (JANGADA_ALLOW_PRIVATE). The functions are in no VPC: for tests only."
  type        = bool
  default     = false
}
