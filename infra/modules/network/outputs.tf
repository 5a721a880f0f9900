output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "The relay's subnets, one a zone."
  value       = [for key in sort(keys(aws_subnet.private)) : aws_subnet.private[key].id]
}

output "source_subnet_ids" {
  description = "The subnets from which the SMSCs see us, one a zone."
  value       = [for key in sort(keys(aws_subnet.source)) : aws_subnet.source[key].id]
}

output "source_route_table_id" {
  description = "Their route table, which leads into the VPNs; null where there are none."
  value       = one(aws_route_table.source[*].id)
}

output "source_addresses" {
  description = "The addresses from which the SMSCs see us: for the form that an operator wants filled in."
  value       = [for key in sort(keys(aws_nat_gateway.source)) : aws_nat_gateway.source[key].private_ip]
}

output "public_addresses" {
  description = "The addresses from which the internet sees us; empty where there is no way there."
  value       = [for key in sort(keys(aws_eip.this)) : aws_eip.this[key].public_ip]
}

output "functions" {
  description = "Where functions run, by their key."
  value = { for key, group in aws_security_group.function : key => {
    subnet_ids         = [for subnet in values(key == "send_nat" ? aws_subnet.nat : aws_subnet.private) : subnet.id]
    security_group_ids = [group.id]
  } }
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "gateway_prefix_list_ids" {
  description = "Prefix lists of DynamoDB and S3, by service."
  value       = { for key, endpoint in aws_vpc_endpoint.gateway : key => endpoint.prefix_list_id }
}
