variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string
}

variable "emails" {
  description = "Who hears of alarms: `page` of outages, `warn` of what can wait until morning (and of outages). Each address confirms once, by the link in a message from AWS."
  type = object({
    page = optional(list(string), [])
    warn = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for address in flatten(values(var.emails)) : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "emails must be e-mail addresses."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the topics."
  type        = string
}

variable "namespace" {
  description = "Namespace of the gateway's own metrics (JANGADA_METRICS)."
  type        = string
  default     = "Jangada"
}

variable "queues" {
  description = "Every queue by its name in the code, as the messaging module has them."
  type = map(object({
    name     = string
    dlq_name = string
  }))
}

variable "ages" {
  description = "Seconds that the oldest record of a queue may have waited before somebody is told: what AWS alone works off (events, outbound), lanes, bulk, platforms."
  type = object({
    inner   = optional(number, 300)
    lane    = optional(number, 900)
    bulk    = optional(number, 14400)
    deliver = optional(number, 1800)
  })
  default = {}

  validation {
    condition     = alltrue([for seconds in values(var.ages) : seconds >= 60])
    error_message = "ages must be 60 seconds or more: CloudWatch looks once a minute."
  }
}

variable "in_flight_cap" {
  description = "Records that a queue of the region may have in flight (Service Quotas: SQS): 120,000, in some regions 20,000 for FIFO queues. The alarm comes at three quarters of it."
  type        = number
  default     = 120000

  validation {
    condition     = var.in_flight_cap >= 1000
    error_message = "in_flight_cap must be 1000 or more."
  }
}

variable "limits" {
  description = "In 15 minutes: how many messages in doubt an aggregator may have; from how many messages or receipts on receipts are looked at; and what percentage of them may fit no message."
  type = object({
    in_doubt      = optional(number, 10)
    receipts_from = optional(number, 20)
    parked        = optional(number, 20)
  })
  default = {}

  validation {
    condition     = var.limits.in_doubt >= 0 && var.limits.receipts_from >= 1 && var.limits.parked >= 0 && var.limits.parked < 100
    error_message = "limits: in_doubt 0 or more, receipts_from 1 or more, parked 0 to 99 (a percentage)."
  }
}

variable "without_receipts" {
  description = "Aggregators that send no receipts, or none that anybody has asked for: nobody waits for them."
  type        = set(string)
  default     = []
}

variable "usual_hours" {
  description = "Aggregators that always have traffic between two hours of the day (UTC): an hour without any is told. `metrics`: received (from phones), sent (to them)."
  type = map(object({
    from    = number
    to      = number
    metrics = optional(set(string), ["received"])
  }))
  default = {}

  validation {
    condition = alltrue([for one in values(var.usual_hours) :
      one.from >= 0 && one.from < one.to && one.to <= 24 && floor(one.from) == one.from && floor(one.to) == one.to
      && length(setsubtract(one.metrics, ["received", "sent"])) == 0
    ])
    error_message = "usual_hours: from and to are whole hours, 0 to 24, from before to; metrics are received and sent."
  }
}

variable "contacts" {
  description = "Whom to call about each aggregator, as its file says under contacts."
  type        = map(string)
  default     = {}
}

variable "http_aggregators" {
  description = "Names of the aggregators with an HTTP API."
  type        = set(string)
}

variable "smscs" {
  description = "Names of the aggregators with an SMSC."
  type        = set(string)
}

variable "canaries" {
  description = "Names of the SMSCs that have a canary."
  type        = set(string)
  default     = []
}

variable "platforms" {
  description = "Names of the platforms."
  type        = set(string)
}

variable "api_name" {
  description = "Dimension ApiName of the API's metrics."
  type        = string
}

variable "stage_name" {
  description = "Dimension Stage of the API's metrics."
  type        = string
}

variable "access_log_group_name" {
  description = "Log group of the API's access log."
  type        = string
}

variable "function_names" {
  description = "Name of each function, by key."
  type        = map(string)
}

variable "relay" {
  description = "The relay's cluster, service, log group and number of tasks; null where there is no SMSC."
  type = object({
    cluster   = string
    service   = string
    log_group = string
    tasks     = number
  })
  default = null
}
