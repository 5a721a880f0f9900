output "page_topic_arn" {
  description = "SNS topic of outages."
  value       = aws_sns_topic.this["page"].arn
}

output "warn_topic_arn" {
  description = "SNS topic of what can wait until morning."
  value       = aws_sns_topic.this["warn"].arn
}

output "alarm_names" {
  description = "Names of all alarms of this module."
  value       = [for alarm in merge(aws_cloudwatch_metric_alarm.this, aws_cloudwatch_metric_alarm.absence) : alarm.alarm_name]
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
