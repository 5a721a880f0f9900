################################################################################
# Subnets of functions whose way to the internet has fixed addresses; those behind a VPN are reached from the relay's
################################################################################

resource "aws_subnet" "nat" {
  for_each = local.nat_zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 3, 6 + local.index[each.key]) # all runs of a function share one address there

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_route_table" "nat" {
  for_each = local.nat_zones

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_route_table_association" "nat" {
  for_each = local.nat_zones

  subnet_id      = aws_subnet.nat[each.key].id
  route_table_id = aws_route_table.nat[each.key].id
}

resource "aws_route" "nat" {
  for_each = local.nat_zones

  route_table_id         = aws_route_table.nat[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.public[each.key].id
}

################################################################################
# What functions may reach
################################################################################

locals {
  function_endpoints = merge([for key, those in var.function_endpoints : {
    for one in those : "${key} ${one.name} ${one.cidr} ${one.port}" => merge(one, { function = key })
  }]...)
}

resource "aws_security_group" "function" {
  #checkov:skip=CKV2_AWS_5:The functions are in modules/api; it takes the output `functions`.
  for_each = var.function_endpoints

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = "A function: out to its aggregators and to AWS, nothing in"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${replace(each.key, "_", "-")}" }
}

resource "aws_vpc_security_group_egress_rule" "function" {
  for_each = local.function_endpoints

  security_group_id = aws_security_group.function[each.value.function].id
  description       = each.value.name
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "function_endpoints" {
  for_each = aws_security_group.function

  security_group_id            = each.value.id
  description                  = "AWS"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "function_tables" {
  for_each = aws_security_group.function

  security_group_id = each.value.id
  description       = "dynamodb"
  prefix_list_id    = aws_vpc_endpoint.gateway["dynamodb"].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
