output "url" {
  description = "Where the API is."
  value       = "https://${var.domain}"
}

output "domain_target" {
  description = "What the domain's record must lead to."
  value       = aws_api_gateway_domain_name.this.regional_domain_name
}

output "rest_api_id" {
  description = "Id of the REST API."
  value       = module.functions.rest_api_id
}

output "rest_api_name" {
  description = "Its name, which is the dimension ApiName of its metrics."
  value       = module.functions.rest_api_name
}

output "stage_name" {
  description = "Name of its stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "function_names" {
  description = "Name of each function, by key."
  value       = module.functions.function_names
}

output "access_log_group_name" {
  description = "Log group of the API's access log."
  value       = aws_cloudwatch_log_group.access.name
}
