################################################################################
# Firewall: how often one address may come. No rules on content: a text message may look like anything. And none on
# the paths of callbacks and of POST /send unless somebody asks for it: an aggregator, or a platform, sends everything
# from one or two addresses, and what it may send altogether is the stage's throttle to say.
################################################################################

locals {
  paths = { for key, path in { callbacks = "/c/", send = "/send/" } : key => {
    ByteMatchStatement = {
      SearchString         = path
      FieldToMatch         = { UriPath = {} }
      PositionalConstraint = "CONTAINS" # execute-api puts the stage in front
      TextTransformations  = [{ Priority = 0, Type = "NONE" }]
    }
  } }

  scopes = {
    callbacks = local.paths.callbacks
    send      = local.paths.send
    others    = { NotStatement = { Statement = { OrStatement = { Statements = [local.paths.callbacks, local.paths.send] } } } }
  }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_175:It has rules, in rule_json.
  #checkov:skip=CKV_AWS_192:No Java here, and rules on content would take text messages for attacks.
  name        = var.name
  description = "How often one address may come to the SMS gateway"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule_json = jsonencode([for index, key in ["callbacks", "send", "others"] : {
    Name     = key
    Priority = index
    Action   = { Block = { CustomResponse = { ResponseCode = 429 } } } # 403 would make an aggregator give up
    Statement = { RateBasedStatement = {
      Limit               = var.rate_limits[key]
      EvaluationWindowSec = 300
      AggregateKeyType    = "IP"
      ScopeDownStatement  = local.scopes[key]
    } }
    VisibilityConfig = { CloudWatchMetricsEnabled = true, MetricName = "${var.name}-${key}", SampledRequestsEnabled = false }
  } if var.rate_limits[key] != null])

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = false # samples hold the query
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

resource "aws_cloudwatch_log_group" "firewall" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the deployment's to say (log_retention_days).
  name              = "aws-waf-logs-${var.name}" # AWS WAF wants this beginning
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.firewall.arn]

  redacted_fields {
    query_string {}
  }

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }
    }
  }
}
