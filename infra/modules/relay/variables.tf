variable "name" {
  description = "Name of the deployment, e.g. jangada-prod; begins every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name must be 2 to 41 of a-z, 0-9 and -, and begin with a letter."
  }
}

variable "image" {
  description = "Image of the relay, best by digest. null: the deployment's own repository, with image_tag."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[a-z0-9][a-z0-9./_-]*(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?$", var.image))
    error_message = "image must be repository:tag or repository@sha256:..., or null."
  }
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

  validation {
    condition     = alltrue([for name in ["JANGADA_PREFIX", "JANGADA_QUEUE_BASE", "JANGADA_SSM_PREFIX"] : contains(keys(var.environment), name)])
    error_message = "environment must have JANGADA_PREFIX, JANGADA_QUEUE_BASE and JANGADA_SSM_PREFIX."
  }
}

variable "lanes" {
  description = "Queues that the relay serves, by name: as the messaging module has them."
  type = map(object({
    arn     = string
    dlq_arn = string
  }))

  validation {
    condition     = alltrue([for name in keys(var.lanes) : startswith(name, "lane-")])
    error_message = "lanes must be queues by their names in the code, lane-..."
  }
}

variable "send_to" {
  description = "ARNs of the other queues that it writes to: events, later, and the dead-letter queue of events."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.send_to : can(regex("^arn:[a-z-]+:sqs:", arn))])
    error_message = "send_to must be ARNs of SQS queues."
  }
}

variable "table_arns" {
  description = "ARN of each table: registry, ledger, trace, leases."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["registry", "ledger", "trace", "leases"] : contains(keys(var.table_arns), name)])
    error_message = "table_arns must have registry, ledger, trace and leases."
  }
}

variable "parameter_arns" {
  description = "ARNs of the SSM parameters with the secrets of its aggregators."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.parameter_arns : can(regex("^arn:[a-z-]+:ssm:.*:parameter/.*[^*]$", arn))])
    error_message = "parameter_arns must be ARNs of SSM parameters, each by its name."
  }
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

variable "outbinds" {
  description = "SMSCs that open the connection themselves, by aggregator: our port, and the networks that they call from."
  type = map(object({
    port     = number
    networks = set(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for one in values(var.outbinds) : one.port >= 1 && one.port <= 65535 && length(one.networks) > 0 && alltrue([for network in one.networks : can(cidrnetmask(network))])])
    error_message = "outbinds must have a port and IPv4 networks each."
  }
}

variable "outbind_subnets" {
  description = "Where their load balancer is: subnets that the SMSCs reach, one a zone, and its address in each."
  type = list(object({
    subnet_id = string
    address   = string
  }))
  default = []

  validation {
    condition     = alltrue([for one in var.outbind_subnets : can(cidrnetmask("${one.address}/32"))])
    error_message = "outbind_subnets must have an IPv4 address each."
  }
}

variable "vpc_id" {
  description = "VPC that it runs in."
  type        = string

  validation {
    condition     = can(regex("^vpc-", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, vpc-..."
  }
}

variable "subnet_ids" {
  description = "Private subnets, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 2 && alltrue([for one in var.subnet_ids : can(regex("^subnet-", one))])
    error_message = "subnet_ids must be the ids of two subnets, subnet-..."
  }
}

variable "endpoint_security_group_id" {
  description = "Security group of AWS's interface endpoints."
  type        = string

  validation {
    condition     = can(regex("^sg-", var.endpoint_security_group_id))
    error_message = "endpoint_security_group_id must be the id of a security group, sg-..."
  }
}

variable "gateway_prefix_list_ids" {
  description = "Prefix lists of DynamoDB and S3, by service."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["dynamodb", "s3"] : contains(keys(var.gateway_prefix_list_ids), name)])
    error_message = "gateway_prefix_list_ids must have dynamodb and s3."
  }
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

variable "architecture" {
  description = "Processor that the image was built for: arm64, which costs a fifth less, or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
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

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that the logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827."
  }
}
