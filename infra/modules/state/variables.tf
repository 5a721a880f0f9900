variable "prefix" {
  description = "Begins the name of every table, e.g. jangada-prod- (JANGADA_PREFIX)."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}-$", var.prefix))
    error_message = "prefix must be 3 to 26 of a-z, 0-9 and -, begin with a letter and end with -."
  }
}

variable "ssm_prefix" {
  description = "Path of the secrets in SSM Parameter Store, e.g. /jangada/prod. The parameters themselves are written by `jangada aggregator secret` and `jangada platform credential`, so that no secret is ever in Terraform's state."
  type        = string

  validation {
    condition     = can(regex("^/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.ssm_prefix)) && !can(regex("^/(aws|ssm)", var.ssm_prefix))
    error_message = "ssm_prefix must be a path such as /jangada/prod, without a final slash, and not begin with /aws or /ssm."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the tables. Set to false, and apply, before a deployment is destroyed."
  type        = bool
  default     = true
}

variable "point_in_time_recovery" {
  description = "Keep 35 days of every table, restorable to any second."
  type        = bool
  default     = true
}

variable "key_deletion_days" {
  description = "Days between the deletion of the KMS key being asked for and its being done; until then it can be called off."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30."
  }
}
