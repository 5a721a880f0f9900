variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string
}

variable "domain" {
  description = "Public host of the API: of the callback URLs that aggregators are given, and of POST /send."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a host name in small letters, e.g. sms.example.org."
  }
}

variable "certificate_arn" {
  description = "ACM certificate for the domain, in the deployment's region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate of AWS Certificate Manager."
  }
}

variable "zone_id" {
  description = "Route 53 zone in which the domain gets its record. null: make it yourself, an alias or CNAME to the output domain_target."
  type        = string
  default     = null
}

variable "default_endpoint" {
  description = "Serve the API on execute-api's host too. The callback URLs do not use it."
  type        = bool
  default     = false
}

variable "schedules" {
  description = "Run λ canary every five minutes."
  type        = bool
  default     = false
}

variable "networks" {
  description = "Functions that run in a VPC, by their key: where, their own environment variables, and the SSM parameters of their aggregators, with secrets and with access tokens. Those that are not named are not made."
  type = map(object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    environment        = map(string)
    secrets            = list(string)
    tokens             = list(string)
  }))
  default = {}
}

variable "environment" {
  description = "Environment variables of every function."
  type        = map(string)
}

variable "queues" {
  description = "Every queue by its name in the code, as the messaging module has them."
  type = map(object({
    name       = string
    arn        = string
    visibility = number
    dlq_name   = string
    dlq_arn    = string
  }))
}

variable "mappings" {
  description = "What feeds each function: queue -> function, and how many of it may run for this queue at a time (2 to 1000; the least that Lambda takes is 2)."
  type = map(object({
    function    = string
    concurrency = number
  }))

  validation {
    condition     = alltrue([for one in values(var.mappings) : one.concurrency >= 2 && one.concurrency <= 1000])
    error_message = "concurrency of a mapping must be 2 to 1000 (AWS Lambda developer guide, maximum concurrency of SQS event sources)."
  }
}

variable "queue_pattern_arn" {
  description = "Beginning of the ARNs of all queues of this deployment: stands for the lanes where a policy that names them all would be longer than IAM takes."
  type        = string
}

variable "table_arns" {
  description = "ARN of each table: registry, ledger, trace, leases."
  type        = map(string)
}

variable "parameter_arns" {
  description = "ARNs of the SSM parameters with the secrets of HTTP aggregators and of platforms, and with the access tokens that aggregators give."
  type = object({
    aggregators = list(string)
    platforms   = list(string)
    tokens      = list(string)
  })
}

variable "kms_key_arn" {
  description = "KMS key of tables, logs and, where wanted, queues."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the logs of functions, API and firewall are kept."
  type        = number
  default     = 90
}

variable "throttle" {
  description = "Requests a second that the API takes, and how many at once. Beyond them it answers 429: aggregators and platforms try again."
  type = object({
    rate  = optional(number, 1000)
    burst = optional(number, 2000)
  })
  default = {}

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.rate <= 10000 && var.throttle.burst >= 1 && var.throttle.burst <= 5000
    error_message = "throttle: rate must be 1 to 10000, burst 1 to 5000, which are the account's quotas in most regions."
  }
}

variable "rate_limits" {
  description = "Requests that the firewall takes from one address in five minutes: for callbacks, for POST /send, and for all other paths. null: as many as come. An aggregator or platform sends everything from one or two addresses, so a limit on the first two must be above all that it may ever send; by default there is none."
  type = object({
    callbacks = optional(number)
    send      = optional(number)
    others    = optional(number, 300)
  })
  default = {}

  validation {
    condition     = alltrue([for limit in values(var.rate_limits) : limit == null ? true : limit >= 10 && limit <= 2000000000])
    error_message = "rate_limits must be 10 to 2000000000 each (AWS WAF), or null for no limit."
  }

  validation {
    condition     = alltrue([for limit in [var.rate_limits.callbacks, var.rate_limits.send] : limit == null ? true : limit >= 30000])
    error_message = "rate_limits of callbacks and send must be 30000 or more, a hundred requests a second: all of an aggregator's come from one address."
  }
}

variable "reserved_concurrency" {
  description = "Concurrent executions that the API's function has for itself, and never more: a broadcast that takes all others cannot keep webhooks waiting. null: it shares with all."
  type        = number
  default     = null
}

variable "manage_account" {
  description = "Let API Gateway write logs in this account and region: one setting for both. false where it is managed elsewhere."
  type        = bool
  default     = true
}
