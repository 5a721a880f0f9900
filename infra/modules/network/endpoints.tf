################################################################################
# AWS's services, without a way to the internet
################################################################################

# None for KMS: what the relay and functions read is decrypted by DynamoDB, SQS and SSM, on its behalf.
locals {
  services = toset(concat(["sqs", "ssm", "logs"], var.relay ? ["ecr.api", "ecr.dkr"] : []))
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "TLS from the VPC to AWS"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = merge(aws_subnet.private, { for key, subnet in aws_subnet.nat : "nat-${key}" => subnet })

  security_group_id = aws_security_group.endpoints.id
  description       = "TLS from a private subnet"
  cidr_ipv4         = each.value.cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_iam_policy_document" "endpoint" {
  #checkov:skip=CKV_AWS_49:An endpoint policy is a fence around the account; what may be done is in the roles.
  #checkov:skip=CKV_AWS_1:As above.
  statement {
    sid       = "OwnAccount"
    actions   = ["*"]
    resources = ["*"] # what may be done is the role's to say; this says who may come

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

# The layers of ECR's images are in a bucket of AWS's (Amazon ECR user guide, "Minimum Amazon S3 bucket permissions").
data "aws_iam_policy_document" "layers" {
  #checkov:skip=CKV_AWS_283:ECR signs for the download of layers itself; the bucket is AWS's, and to be read only.
  statement {
    sid       = "ImageLayers"
    actions   = ["s3:GetObject"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.services

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.endpoint.json

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = merge(
    { dynamodb = data.aws_iam_policy_document.endpoint.json },
    var.relay ? { s3 = data.aws_iam_policy_document.layers.json } : {},
  )

  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  route_table_ids   = concat([for table in aws_route_table.private : table.id], [for table in aws_route_table.nat : table.id])
  policy            = each.value

  tags = { Name = "${var.name}-${each.key}" }
}

################################################################################
# Flow logs
################################################################################

resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the deployment's to say (log_retention_days).
  name              = "/jangada/${var.name}/flow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "flow_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "flow" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }
}

resource "aws_iam_role" "flow" {
  name               = "${var.name}-flow"
  assume_role_policy = data.aws_iam_policy_document.flow_assume.json
}

resource "aws_iam_role_policy" "flow" {
  name   = "logs"
  role   = aws_iam_role.flow.id
  policy = data.aws_iam_policy_document.flow.json
}

resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.flow.arn
  max_aggregation_interval = 60
}
