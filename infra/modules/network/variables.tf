variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name must be 2 to 41 of a-z, 0-9 and -, and begin with a letter."
  }
}

variable "cidr" {
  description = "Network of the VPC, /20 to /24. Neither it nor source_cidr may overlap with a network of an SMSC."
  type        = string
  default     = "10.213.64.0/24"

  validation {
    condition     = can(cidrnetmask(var.cidr)) && contains(["20", "21", "22", "23", "24"], element(split("/", var.cidr), 1))
    error_message = "cidr must be an IPv4 network of /20 to /24, e.g. 10.213.64.0/24."
  }
}

variable "source_cidr" {
  description = "Network from which the SMSCs see us, /24 to /27, joined to the VPC as its second range. Its halves lie in the two zones; the address that a private NAT gateway has there never changes (output source_addresses). Where operators take public addresses only, a range of yours."
  type        = string
  default     = "10.213.65.0/27"

  validation {
    condition     = can(cidrnetmask(var.source_cidr)) && contains(["24", "25", "26", "27"], element(split("/", var.source_cidr), 1))
    error_message = "source_cidr must be an IPv4 network of /24 to /27, e.g. 10.213.65.0/27: a subnet for each of two zones, and AWS has none below /28."
  }
}

variable "zones" {
  description = "Names of the two availability zones. null: the region's first two."
  type        = list(string)
  default     = null

  validation {
    condition     = var.zones == null || try(length(distinct(var.zones)) == 2, false)
    error_message = "zones must be two names, e.g. [eu-west-1a, eu-west-1b], or null."
  }
}

variable "source_zone" {
  description = "Zone whose address all traffic to SMSCs comes from, a or b, where an operator allows one address only; infra/switch.py changes over when that zone is lost. null: each zone has its own, and both are used."
  type        = string
  default     = null

  validation {
    condition     = var.source_zone == null || contains(["a", "b"], coalesce(var.source_zone, "-"))
    error_message = "source_zone must be a, b or null."
  }
}

variable "smsc_networks" {
  description = "Networks behind the VPNs: the relay's way there is through the private NAT gateways."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.smsc_networks : can(cidrnetmask(one))])
    error_message = "smsc_networks must be IPv4 networks, e.g. 10.64.10.0/24."
  }
}

variable "internet" {
  description = "Give the relay a way to SMSCs on the internet, from two fixed public addresses."
  type        = bool
  default     = false
}

variable "relay" {
  description = "The relay runs here: make a way to its images."
  type        = bool
  default     = true
}

variable "sources" {
  description = "Make the private NAT gateways, from which those behind the VPNs see us."
  type        = bool
  default     = true
}

variable "nat" {
  description = "Make subnets for functions that reach the internet from two fixed public addresses."
  type        = bool
  default     = false
}

variable "function_endpoints" {
  description = "Where functions may connect to, beside AWS, by the function's key: whose it is, network and port. Those that are not named get no security group."
  type = map(set(object({
    name = string
    cidr = string
    port = number
  })))
  default = {}

  validation {
    condition     = alltrue(flatten([for those in values(var.function_endpoints) : [for one in those : can(cidrnetmask(one.cidr)) && one.port >= 1 && one.port <= 65535]]))
    error_message = "function_endpoints must be IPv4 networks with ports, e.g. 10.64.10.0/24 and 443."
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
  description = "Days that the flow logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827."
  }
}
