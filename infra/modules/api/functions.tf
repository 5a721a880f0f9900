################################################################################
# The functions: made by infra/package.py
################################################################################

module "functions" {
  source = "../../build/functions"

  name                         = var.name
  role_arns                    = { for key, role in aws_iam_role.function : key => role.arn }
  environment                  = var.environment
  networks                     = { for key, one in var.networks : key => { subnet_ids = one.subnet_ids, security_group_ids = one.security_group_ids, environment = one.environment } }
  disable_execute_api_endpoint = !var.default_endpoint
  schedules                    = var.schedules
  api_concurrency              = var.reserved_concurrency == null ? -1 : var.reserved_concurrency # -1: Lambda's "none"

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the deployment's to say (log_retention_days).
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key == "api_handler" ? "api" : each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

################################################################################
# What each may do
################################################################################

locals {
  region = data.aws_region.this.id

  # IAM takes 10,240 characters of policy a role: from about forty lanes on, a pattern stands for their names.
  lane_names = [for name in keys(var.queues) : name if startswith(name, "lane-")]
  few        = length(local.lane_names) <= 40
  lanes      = local.few ? [for name in local.lane_names : var.queues[name].arn] : ["${var.queue_pattern_arn}lane-*"]
  deliver    = [for name, queue in var.queues : queue.arn if startswith(name, "deliver-")]

  # Where a function buries what needs a human.
  dead = {
    lanes   = local.few ? [for name in local.lane_names : var.queues[name].dlq_arn] : ["${var.queue_pattern_arn}lane-*-dlq.fifo"]
    deliver = [for name, queue in var.queues : queue.dlq_arn if startswith(name, "deliver-")]
    routes  = [for name in ["outbound", "outbound-bulk"] : var.queues[name].dlq_arn]
    events  = [var.queues["events"].dlq_arn]
    later   = [var.queues["later"].dlq_arn]
  }

  read         = ["dynamodb:GetItem"]
  write        = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
  events       = [var.queues["events"].arn]
  later        = [var.queues["later"].arn]
  routes_again = concat(local.lanes, local.deliver, local.dead.routes)

  # One row a function: what it writes to, what it reads of the registry, what it does in the ledger, whose secrets.
  functions = merge({
    api_handler = {
      send    = concat(local.lanes, local.events, local.deliver, local.dead.events)
      ledger  = local.write
      secrets = var.parameter_arns.aggregators
    }
    route      = { send = local.routes_again, ledger = local.write, secrets = [] }
    route_bulk = { send = local.routes_again, ledger = local.write, secrets = [] }
    send = {
      send    = concat(local.events, local.later, local.dead.lanes, local.dead.events)
      ledger  = local.write
      secrets = var.parameter_arns.aggregators
    }
    later = {
      send    = concat(local.lanes, local.events, local.later, local.dead.lanes, local.dead.events, local.dead.later)
      ledger  = []
      secrets = []
    }
    record = {
      send    = concat(local.deliver, local.later, local.dead.events, local.dead.deliver)
      ledger  = local.write
      secrets = []
    }
    deliver = {
      send    = local.dead.deliver
      ledger  = local.write
      secrets = var.parameter_arns.platforms
    }
    canary = {
      send    = [var.queues["outbound"].arn]
      ledger  = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      secrets = []
    }
    }, { for key, one in var.networks : key => {
      send    = concat(local.events, local.later, local.few ? local.own_dead[key] : local.dead.lanes, local.dead.events)
      ledger  = local.write
      secrets = one.secrets
  } })

  # λ send keeps the right to all secrets: a lane that is given another egress, or none, may hold messages still.
  senders  = merge({ send = var.parameter_arns.tokens }, { for key, one in var.networks : key => one.tokens })
  own_dead = { for key in keys(var.networks) : key => [for queue, one in var.mappings : var.queues[queue].dlq_arn if one.function == key] }

  joining = [
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
  ]

  takes = { for name in keys(local.functions) : name => [for queue, one in var.mappings : var.queues[queue].arn if one.function == name] }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }

  statement {
    sid       = "XRay"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"] # the actions know no other
  }

  dynamic "statement" {
    for_each = length(local.takes[each.key]) > 0 ? [1] : []

    content {
      sid       = "Take"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
      resources = contains(keys(local.senders), each.key) && !local.few ? local.lanes : local.takes[each.key]
    }
  }

  statement {
    sid       = "Send"
    actions   = ["sqs:SendMessage"]
    resources = each.value.send
  }

  statement {
    sid       = "Registry"
    actions   = concat(local.read, each.key == "canary" ? ["dynamodb:Scan"] : []) # no message names its aggregator
    resources = [var.table_arns["registry"]]
  }

  dynamic "statement" {
    for_each = length(each.value.ledger) > 0 ? [1] : []

    content {
      sid       = "Ledger"
      actions   = each.value.ledger
      resources = [var.table_arns["ledger"]]
    }
  }

  dynamic "statement" {
    for_each = each.key == "canary" ? [] : [1]

    content {
      sid       = "Trace"
      actions   = ["dynamodb:BatchWriteItem"]
      resources = [var.table_arns["trace"]]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.secrets) > 0 ? [1] : []

    content {
      sid       = "Secrets"
      actions   = ["ssm:GetParameter"]
      resources = each.value.secrets
    }
  }

  dynamic "statement" {
    for_each = contains(keys(local.senders), each.key) ? [1] : []

    content {
      sid       = "Tokens"
      actions   = ["ssm:GetParameter", "ssm:PutParameter"]
      resources = local.senders[each.key]
    }
  }

  # What Lambda does to join a function to subnets, by its role (AWSLambdaVPCAccessExecutionRole); the function's own
  # code may not (AWS Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC").
  dynamic "statement" {
    for_each = contains(keys(var.networks), each.key) ? [1] : []

    content {
      sid       = "Network"
      actions   = local.joining
      resources = ["*"] # the interfaces' ids are not known before, and the rest knows no other
    }
  }

  dynamic "statement" {
    for_each = contains(keys(var.networks), each.key) ? [1] : []

    content {
      sid       = "NetworkNotFromCode"
      effect    = "Deny"
      actions   = local.joining
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${data.aws_partition.this.partition}:lambda:${local.region}:${data.aws_caller_identity.this.account_id}:function:${var.name}-${each.key}"]
      }
    }
  }

  statement {
    sid       = "Key"
    actions   = concat(["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], contains(keys(local.senders), each.key) ? ["kms:Encrypt"] : []) # SSM's, for what is put there
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "sqs", "ssm"] : "${service}.${local.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${var.name}-${replace(each.key, "_", "-")}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "function"
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.function[each.key].json
}

################################################################################
# What feeds them: a mapping per lane and per platform
################################################################################

resource "aws_lambda_event_source_mapping" "this" {
  for_each = var.mappings

  event_source_arn        = var.queues[each.key].arn
  function_name           = module.functions.function_arns[each.value.function]
  batch_size              = module.functions.consumers[each.value.function].batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = each.value.concurrency
  }

  lifecycle {
    precondition {
      condition     = var.queues[each.key].visibility >= 6 * module.functions.timeouts[each.value.function]
      error_message = "${each.key}: its visibility time-out must be six times the time-out of ${each.value.function} or more (AWS Lambda developer guide); change visibility of the messaging module or lambda_timeout in .chalice/config.json."
    }
  }
}

locals {
  unfed = setsubtract(setintersection(keys(module.functions.consumers), keys(module.functions.function_names)), [for one in values(var.mappings) : one.function])
}

resource "terraform_data" "fed" {
  input = sort(keys(module.functions.consumers))

  lifecycle {
    precondition {
      condition     = length(local.unfed) == 0
      error_message = "No queue feeds ${join(", ", local.unfed)}: app.py has a queue handler that infra/main.tf maps nothing to, or there is no platform yet (add one to an aggregator file)."
    }
  }
}
