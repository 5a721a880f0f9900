data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  region      = data.aws_region.this.id
  image       = coalesce(var.image, "${aws_ecr_repository.this.repository_url}:${var.image_tag}")
  health_port = 8080
}

################################################################################
# Image
################################################################################

resource "aws_ecr_repository" "this" {
  name                 = "${var.name}-relay"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({ rules = [{
    rulePriority = 1
    description  = "Twenty versions to go back to"
    selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
    action       = { type = "expire" }
  }] })
}

################################################################################
# What it may reach, and who it (outbind.tf)
################################################################################

resource "aws_security_group" "this" {
  name        = "${var.name}-relay"
  description = "The relay: out to the SMSCs and to AWS, nothing in"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-relay" }
}

resource "aws_vpc_security_group_egress_rule" "smsc" {
  for_each = { for one in var.endpoints : "${one.name} ${one.cidr} ${one.port}" => one }

  security_group_id = aws_security_group.this.id
  description       = "SMSC ${each.value.name}"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  security_group_id            = aws_security_group.this.id
  description                  = "AWS"
  referenced_security_group_id = var.endpoint_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "gateways" {
  for_each = toset(["dynamodb", "s3"])

  security_group_id = aws_security_group.this.id
  description       = each.value
  prefix_list_id    = var.gateway_prefix_list_ids[each.value]
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

################################################################################
# What it may do
################################################################################

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "Lanes"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = [for lane in var.lanes : lane.arn]
  }

  statement {
    sid       = "Events"
    actions   = ["sqs:SendMessage"]
    resources = concat(var.send_to, [for lane in var.lanes : lane.dlq_arn])
  }

  statement {
    sid       = "Registry"
    actions   = ["dynamodb:GetItem", "dynamodb:Scan"]
    resources = [var.table_arns["registry"]]
  }

  statement {
    sid       = "Ledger"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    resources = [var.table_arns["ledger"]]
  }

  statement {
    sid       = "UnmatchedReceipts"
    actions   = ["dynamodb:Query"]
    resources = ["${var.table_arns["ledger"]}/index/parked"]
  }

  statement {
    sid       = "Leases"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Scan"]
    resources = [var.table_arns["leases"]]
  }

  statement {
    sid       = "Trace"
    actions   = ["dynamodb:BatchWriteItem"]
    resources = [var.table_arns["trace"]]
  }

  statement {
    sid       = "Secrets"
    actions   = ["ssm:GetParameter"]
    resources = var.parameter_arns
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "sqs", "ssm"] : "${service}.${local.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-relay-task"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "task" {
  name   = "relay"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the action knows no other
  }

  statement {
    sid       = "Image"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.this.arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-relay-execution"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

################################################################################
# Service
################################################################################

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the deployment's to say (log_retention_days).
  name              = "/jangada/${var.name}/relay"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-relay"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  volume {
    name = "tmp" # keys of TLS links are handed to OpenSSL as files
  }

  container_definitions = jsonencode([merge({
    name                   = "relay"
    image                  = local.image
    essential              = true
    readonlyRootFilesystem = true
    user                   = "10001:10001"
    stopTimeout            = 120 # Fargate's longest: the window is finished, recorded, and unbound
    environment            = [for key in sort(keys(var.environment)) : { name = key, value = var.environment[key] }]
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]

    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:${local.health_port}/health', timeout=4)"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "relay"
        mode                  = "non-blocking" # a log that cannot be written stops no message
        max-buffer-size       = "8m"
      }
    }
  }, local.called)])
}

resource "aws_ecs_service" "this" {
  name             = "${var.name}-relay"
  cluster          = aws_ecs_cluster.this.id
  task_definition  = aws_ecs_task_definition.this.arn
  desired_count    = var.tasks
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"

  # One task after the other, the rest holding its binds meanwhile; ECS spreads tasks over the subnets' zones.
  deployment_minimum_healthy_percent = var.tasks > 1 ? 50 : 0
  deployment_maximum_percent         = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = var.outbinds

    content {
      target_group_arn = aws_lb_target_group.outbind[load_balancer.key].arn
      container_name   = "relay"
      container_port   = load_balancer.value.port
    }
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution, aws_lb_listener.outbind]
}
