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

variable "http_aggregators" {
  description = "Names of the aggregators with an HTTP API."
  type        = set(string)
}

variable "smscs" {
  description = "Names of the aggregators with an SMSC."
  type        = set(string)
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
