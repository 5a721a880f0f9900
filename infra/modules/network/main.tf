data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394:The variable zones pins them; a new zone comes last in the list, of which the first two are taken.
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  region = data.aws_region.this.id
  names  = var.zones != null ? var.zones : data.aws_availability_zones.this.names
  zones  = { a = local.names[0], b = local.names[1] }
  index  = { a = 0, b = 1 }

  source_zones = var.sources ? local.zones : {}
  nat_zones    = var.nat ? local.zones : {}
  public       = var.internet || var.nat
  public_zones = local.public ? local.zones : {}
}

################################################################################
# VPC
################################################################################

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }
}

resource "aws_vpc_ipv4_cidr_block_association" "source" {
  count = var.sources ? 1 : 0

  vpc_id     = aws_vpc.this.id
  cidr_block = var.source_cidr
}

moved {
  from = aws_vpc_ipv4_cidr_block_association.source
  to   = aws_vpc_ipv4_cidr_block_association.source[0]
}

# Nobody's by intention: what forgets to name its group is cut off.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

################################################################################
# The relay's subnets
################################################################################

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 2, local.index[each.key])

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# One NAT gateway a zone: a zone that is lost takes its own relay task along, and no more. Where an operator allows one
# address only, all go through source_zone's, until infra/switch.py says otherwise.
resource "aws_route" "smsc" {
  for_each = { for pair in setproduct(keys(local.zones), var.smsc_networks) : "${pair[0]} ${pair[1]}" => pair }

  route_table_id         = aws_route_table.private[each.value[0]].id
  destination_cidr_block = each.value[1]
  nat_gateway_id         = aws_nat_gateway.source[coalesce(var.source_zone, each.value[0])].id
}

resource "aws_route" "internet" {
  for_each = var.internet ? local.zones : {}

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.public[each.key].id
}

################################################################################
# Source addresses towards the SMSCs
################################################################################

resource "aws_subnet" "source" {
  for_each = local.source_zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value
  cidr_block        = cidrsubnet(var.source_cidr, 1, local.index[each.key])

  tags = { Name = "${var.name}-source-${each.key}" }

  depends_on = [aws_vpc_ipv4_cidr_block_association.source]
}

resource "aws_route_table" "source" {
  count = var.sources ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-source" }
}

moved {
  from = aws_route_table.source
  to   = aws_route_table.source[0]
}

resource "aws_route_table_association" "source" {
  for_each = local.source_zones

  subnet_id      = aws_subnet.source[each.key].id
  route_table_id = aws_route_table.source[0].id
}

resource "aws_nat_gateway" "source" {
  for_each = local.source_zones

  connectivity_type = "private"
  subnet_id         = aws_subnet.source[each.key].id
  private_ip        = cidrhost(aws_subnet.source[each.key].cidr_block, 10) # AWS keeps the first four and the last

  tags = { Name = "${var.name}-source-${each.key}" }
}

################################################################################
# Internet, where an SMSC is there, or an aggregator knows us by our address
################################################################################

resource "aws_internet_gateway" "this" {
  count = local.public ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.public_zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 4, 8 + local.index[each.key])

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count = local.public ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count = local.public ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = local.public_zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "this" {
  for_each = local.public_zones

  domain = "vpc"

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_nat_gateway" "public" {
  for_each = local.public_zones

  allocation_id = aws_eip.this[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-public-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}
