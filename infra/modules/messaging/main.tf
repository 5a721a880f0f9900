data "aws_iam_policy_document" "queue" {
  for_each = local.queues

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.this[each.key].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = startswith(each.key, "outbound") && length(var.producers) > 0 ? [1] : []

    content {
      sid       = "Producers"
      actions   = ["sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
      resources = [aws_sqs_queue.this[each.key].arn]

      principals {
        type        = "AWS"
        identifiers = var.producers
      }
    }
  }
}

locals {
  fortnight = 14 * 86400 # the longest that SQS keeps anything

  lanes = concat(
    [for name in ["lane-shared", "lane-shared-bulk"] : { name = name, kind = "send" }],
    flatten([for name in var.http_lanes : [
      { name = "lane-${name}", kind = "send" }, { name = "lane-${name}-bulk", kind = "send" },
    ]]),
    flatten([for name in var.smsc_lanes : [
      { name = "lane-${name}", kind = "short" }, { name = "lane-${name}-bulk", kind = "short" },
    ]]),
  )

  # Every queue by its name in the code, without .fifo.
  queues = merge(
    { for name in ["outbound", "outbound-bulk", "events", "later"] : name => { kind = "short", fifo = name != "later" } },
    { for lane in local.lanes : lane.name => { kind = lane.kind, fifo = true } },
    { for name in var.platforms : "deliver-${name}" => { kind = "deliver", fifo = true } },
  )
}

################################################################################
# Dead-letter queues: what needs a human, each record with its reason
################################################################################

resource "aws_sqs_queue" "dead" {
  for_each = local.queues

  name                       = "${var.prefix}${each.key}-dlq${each.value.fifo ? ".fifo" : ""}"
  fifo_queue                 = each.value.fifo ? true : null
  deduplication_scope        = each.value.fifo ? "messageGroup" : null
  fifo_throughput_limit      = each.value.fifo ? "perMessageGroupId" : null
  message_retention_seconds  = local.fortnight
  visibility_timeout_seconds = var.visibility.short
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
}

################################################################################
# Queues
################################################################################

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = "${var.prefix}${each.key}${each.value.fifo ? ".fifo" : ""}"
  fifo_queue                 = each.value.fifo ? true : null
  deduplication_scope        = each.value.fifo ? "messageGroup" : null
  fifo_throughput_limit      = each.value.fifo ? "perMessageGroupId" : null
  message_retention_seconds  = local.fortnight
  visibility_timeout_seconds = var.visibility[each.value.kind]
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = each.value.kind == "deliver" ? var.max_receive_count.deliver : var.max_receive_count.default
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead[each.key].id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = aws_sqs_queue.this[each.key].id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}
