data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

################################################################################
# Stage
################################################################################

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the deployment's to say (log_retention_days).
  name              = "/jangada/${var.name}/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_120:Nothing here may be answered from a cache.
  #checkov:skip=CKV2_AWS_51:Aggregators have no client certificates; they are known by signature, secret or network.
  #checkov:skip=CKV2_AWS_4:Execution logs would hold numbers and texts; there is an access log.
  #checkov:skip=CKV2_AWS_29:It has one, in waf.tf.
  #checkov:skip=CKV2_AWS_77:No Java here, and rules on content would take text messages for attacks.
  rest_api_id          = module.functions.rest_api_id
  deployment_id        = module.functions.deployment_id
  stage_name           = "api"
  xray_tracing_enabled = true

  # Neither path nor query: callbacks by GET have the phone's number and the text there.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      id        = "$context.requestId"
      time      = "$context.requestTime"
      ip        = "$context.identity.sourceIp"
      method    = "$context.httpMethod"
      resource  = "$context.resourcePath"
      status    = "$context.status"
      latency   = "$context.responseLatency"
      lambda    = "$context.integrationLatency"
      length    = "$context.responseLength"
      error     = "$context.error.responseType"
      firewall  = "$context.wafResponseCode"
      userAgent = "$context.identity.userAgent"
    })
  }

  depends_on = [aws_api_gateway_account.this]
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:Nothing here may be answered from a cache.
  rest_api_id = module.functions.rest_api_id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF" # execution logs hold what the access log leaves out
    data_trace_enabled     = false
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }
}

data "aws_iam_policy_document" "gateway_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "gateway" {
  #checkov:skip=CKV_AWS_111:One role for all APIs of the account, whose log groups cannot be named.
  #checkov:skip=CKV_AWS_356:As above.
  statement {
    # Any API of the account logs with this role, so its groups cannot be named (API Gateway developer guide,
    # "Permissions for CloudWatch logging").
    actions = [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
      "logs:PutLogEvents", "logs:GetLogEvents", "logs:FilterLogEvents",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role" "gateway" {
  count = var.manage_account ? 1 : 0

  name               = "${var.name}-gateway-logs"
  assume_role_policy = data.aws_iam_policy_document.gateway_assume.json
}

resource "aws_iam_role_policy" "gateway" {
  count = var.manage_account ? 1 : 0

  name   = "logs"
  role   = aws_iam_role.gateway[0].id
  policy = data.aws_iam_policy_document.gateway.json
}

resource "aws_api_gateway_account" "this" {
  count = var.manage_account ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.gateway[0].arn

  depends_on = [aws_iam_role_policy.gateway]
}

################################################################################
# Domain
################################################################################

resource "aws_api_gateway_domain_name" "this" {
  domain_name              = var.domain
  regional_certificate_arn = var.certificate_arn
  security_policy          = "TLS_1_2"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_base_path_mapping" "this" {
  api_id      = module.functions.rest_api_id
  stage_name  = aws_api_gateway_stage.this.stage_name
  domain_name = aws_api_gateway_domain_name.this.domain_name
}

resource "aws_route53_record" "this" {
  count = var.zone_id == null ? 0 : 1

  zone_id = var.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_api_gateway_domain_name.this.regional_domain_name
    zone_id                = aws_api_gateway_domain_name.this.regional_zone_id
    evaluate_target_health = false
  }
}
