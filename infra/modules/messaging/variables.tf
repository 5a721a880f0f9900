variable "prefix" {
  description = "Begins the name of every queue, e.g. jangada-prod-. The code knows queues by this prefix (JANGADA_PREFIX)."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}-$", var.prefix))
    error_message = "prefix must be 3 to 26 of a-z, 0-9 and -, begin with a letter and end with -."
  }
}

variable "http_lanes" {
  description = "Aggregators with an HTTP API that have a lane of their own (lane: own). Each gets lane-<name> and lane-<name>-bulk, with the time-outs of the send function."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.http_lanes : can(regex("^[a-z0-9][a-z0-9-]{0,39}$", name))])
    error_message = "http_lanes must be names of aggregators: 1 to 40 of a-z, 0-9 and -."
  }
}

variable "smsc_lanes" {
  description = "Aggregators with an SMSC, whose lanes the relay serves. Each gets lane-<name> and lane-<name>-bulk."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.smsc_lanes : can(regex("^[a-z0-9][a-z0-9-]{0,39}$", name))])
    error_message = "smsc_lanes must be names of aggregators: 1 to 40 of a-z, 0-9 and -."
  }
}

variable "platforms" {
  description = "Names of the platforms. Each gets deliver-<name>."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.platforms : can(regex("^[a-z0-9][a-z0-9-]{0,39}$", name))])
    error_message = "platforms must be 1 to 40 of a-z, 0-9 and - each."
  }
}

variable "producers" {
  description = "ARNs of IAM principals of other accounts (a platform's workers) that may put records into outbound.fifo and outbound-bulk.fifo. Those of this account need no more than a policy of their own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.producers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|role/.+|user/.+)$", arn))])
    error_message = "producers must be ARNs of accounts, roles or users, e.g. arn:aws:iam::123456789012:role/mailroom."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the queues. null: SQS's own keys (SSE-SQS), which cost nothing and cannot be taken away by mistake."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key, or null."
  }
}

variable "visibility" {
  description = "Seconds until a record is given again whose consumer has died, by kind of queue. At least six times the function's time-out (AWS Lambda developer guide, Using Lambda with Amazon SQS); `short` (route, record, later, and lanes of SMSCs) stays below the 300 s of SQS's deduplication, so that a redelivery cannot make a second record."
  type = object({
    short   = optional(number, 180)
    send    = optional(number, 540)
    deliver = optional(number, 360)
  })
  default = {}

  validation {
    condition     = var.visibility.short <= 240 && alltrue([for seconds in values(var.visibility) : seconds >= 30 && seconds <= 43200])
    error_message = "visibility must be 30 to 43200 seconds each, and short at most 240."
  }
}

variable "max_receive_count" {
  description = "How often a record is given before it goes to the dead-letter queue. Only crash loops reach it: attempts and age are counted in the records. Platforms are out for days, and their records are held."
  type = object({
    default = optional(number, 100)
    deliver = optional(number, 1000)
  })
  default = {}

  validation {
    condition     = alltrue([for count in values(var.max_receive_count) : count >= 10 && count <= 1000])
    error_message = "max_receive_count must be 10 to 1000 (SQS allows no more); below 10, trouble of a minute fills the dead-letter queues."
  }
}
