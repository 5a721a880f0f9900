output "queues" {
  description = "Every queue by its name in the code without .fifo (outbound, lane-shared, deliver-main, ...): its SQS name, ARN and visibility time-out, and those of its dead-letter queue."
  value = { for key, queue in aws_sqs_queue.this : key => {
    name       = queue.name
    arn        = queue.arn
    visibility = queue.visibility_timeout_seconds
    dlq_name   = aws_sqs_queue.dead[key].name
    dlq_arn    = aws_sqs_queue.dead[key].arn
  } }
}

output "queue_base" {
  description = "Queue URLs without the queue's own name (JANGADA_QUEUE_BASE)."
  value       = trimsuffix(aws_sqs_queue.this["events"].id, "events.fifo")
}

output "kms_key_arn" {
  description = "KMS key of the queues, null for SQS's own."
  value       = var.kms_key_arn
}
