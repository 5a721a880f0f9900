variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string
}

variable "image" {
  description = "Image of the relay, best by digest. null: the deployment's own repository, with image_tag."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "Tag in the deployment's own repository. Tags there cannot be moved: a new version is a new tag."
  type        = string
  default     = "v1"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag that stays what it is, such as a version or a commit; not latest."
  }
}

variable "environment" {
  description = "Environment variables, the same as the functions have."
  type        = map(string)
}

variable "lanes" {
  description = "Queues that the relay serves, by name: as the messaging module has them."
  type = map(object({
    arn     = string
    dlq_arn = string
  }))
}

variable "send_to" {
  description = "ARNs of the other queues that it writes to: events, later, and the dead-letter queue of events."
  type        = list(string)
}

variable "table_arns" {
  description = "ARN of each table: registry, ledger, trace, leases."
  type        = map(string)
}

variable "parameter_arns" {
  description = "ARNs of the SSM parameters with the secrets of its aggregators."
  type        = list(string)
}

variable "endpoints" {
  description = "Addresses and ports of the SMSCs: the only places that the relay may connect to, but for AWS."
  type = set(object({
    name = string
    cidr = string
    port = number
  }))

  validation {
    condition     = alltrue([for one in var.endpoints : can(cidrnetmask(one.cidr)) && one.port >= 1 && one.port <= 65535])
    error_message = "endpoints must have an IPv4 network and a port each."
  }
}

variable "vpc_id" {
  description = "VPC that it runs in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, one a zone."
  type        = list(string)
}

variable "endpoint_security_group_id" {
  description = "Security group of AWS's interface endpoints."
  type        = string
}

variable "gateway_prefix_list_ids" {
  description = "Prefix lists of DynamoDB and S3, by service."
  type        = map(string)
}

variable "tasks" {
  description = "Tasks, spread over the zones. They share the binds by leases; a bind is never held twice. There is no autoscaling: an SMSC allows a number of binds, whatever the load."
  type        = number
  default     = 2

  validation {
    condition     = var.tasks >= 1 && var.tasks <= 10
    error_message = "tasks must be 1 to 10; 2 or more for a zone to be lost without an outage."
  }
}

variable "cpu" {
  description = "CPU units of a task: 256 is a quarter of a core."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu must be 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "Memory of a task, MB."
  type        = number
  default     = 1024

  validation {
    condition     = var.memory >= 512 && var.memory <= 30720
    error_message = "memory must be 512 to 30720 MB, and fit the CPU (Amazon ECS developer guide, task size)."
  }
}

variable "kms_key_arn" {
  description = "KMS key of tables, logs and images."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the logs are kept."
  type        = number
  default     = 90
}
