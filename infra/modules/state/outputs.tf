output "table_arns" {
  description = "ARN of each table: registry, ledger, trace, leases."
  value       = { for key, table in aws_dynamodb_table.this : key => table.arn }
}

output "table_names" {
  description = "Name of each table."
  value       = { for key, table in aws_dynamodb_table.this : key => table.name }
}

output "kms_key_arn" {
  description = "The deployment's KMS key."
  value       = aws_kms_key.this.arn
}

output "parameter_arns" {
  description = "Beginning of the ARNs of the SSM parameters that hold secrets: of aggregators, of platforms, and the access tokens that aggregators give; the name follows."
  value = { for kind in ["aggregators", "platforms", "tokens"] :
    kind => "arn:${data.aws_partition.this.partition}:ssm:${local.region}:${local.account}:parameter${var.ssm_prefix}/${kind}/"
  }
}
