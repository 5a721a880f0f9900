data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  region  = data.aws_region.this.id

  # Keys are strings. `parked` lists, by aggregator, receipts that fit no message so far, and the pauses in force.
  tables = {
    registry = { range = "sk", parked = false, ttl = true }
    ledger   = { range = null, parked = true, ttl = true }
    trace    = { range = "sk", parked = false, ttl = true }
    leases   = { range = null, parked = false, ttl = false }
  }
}

################################################################################
# KMS key: tables, secrets, logs, alarms, images, and the queues where wanted
################################################################################

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_111:A key policy's * is the key that it belongs to.
  #checkov:skip=CKV_AWS_109:As above.
  #checkov:skip=CKV_AWS_356:As above.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"] # of a key policy: the key that it belongs to

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${local.account}:root"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.this.partition}:logs:${local.region}:${local.account}:*"]
    }
  }

  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "${trimsuffix(var.prefix, "-")}: tables, secrets, logs, alarms and images"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${trimsuffix(var.prefix, "-")}"
  target_key_id = aws_kms_key.this.key_id
}

################################################################################
# Tables
################################################################################

resource "aws_dynamodb_table" "this" {
  for_each = local.tables

  name                        = "${var.prefix}${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = each.value.range
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = merge(
      { pk = "S" },
      each.value.range == null ? {} : { (each.value.range) = "S" },
      each.value.parked ? { parked = "S", parked_at = "N" } : {},
    )

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = each.value.parked ? ["parked"] : []

    content {
      name            = global_secondary_index.value
      hash_key        = "parked"
      range_key       = "parked_at"
      projection_type = "ALL"
    }
  }

  dynamic "ttl" {
    for_each = each.value.ttl ? ["ttl"] : []

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.this.arn
  }
}
