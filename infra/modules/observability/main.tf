data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

################################################################################
# Topics
################################################################################

resource "aws_sns_topic" "this" {
  for_each = toset(["page", "warn"])

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "topic" {
  for_each = aws_sns_topic.this

  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [each.value.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  for_each = aws_sns_topic.this

  arn    = each.value.arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = merge(
    { for address in var.emails.page : "page ${address}" => { topic = "page", address = address } },
    { for address in var.emails.warn : "warn ${address}" => { topic = "warn", address = address } },
  )

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.address
}

################################################################################
# The relay's links: what its log says, as a metric
################################################################################

resource "aws_cloudwatch_log_metric_filter" "links" {
  count = var.relay == null ? 0 : 1

  name           = "${var.name}-link-trouble"
  log_group_name = var.relay.log_group
  pattern        = "{ ($.message = \"bind_down\") || ($.message = \"channel_down\") }"

  metric_transformation {
    namespace  = var.namespace
    name       = "link_trouble"
    value      = "1"
    unit       = "Count"
    dimensions = { name = "$.aggregator" }
  }
}

################################################################################
# Alarms. Each text says what is wrong, what becomes of the messages, the first command to run, and whom to call.
# docs/operations.md has a section for every one of them.
################################################################################

locals {
  kinds = { for key in keys(var.queues) : key =>
    endswith(key, "-bulk") ? "bulk" : startswith(key, "lane-") ? "lane" : startswith(key, "deliver-") ? "deliver" : "inner"
  }

  aggregators = setunion(var.http_aggregators, var.smscs)

  # Whom to call: of an aggregator, what its file says under `contacts`.
  us   = "whoever keeps this deployment"
  them = { for name in local.aggregators : name => lookup(var.contacts, name, "${name}, which has no contacts in its file") }

  # Whose records a queue holds. A shared lane's are of all HTTP aggregators without a lane of their own.
  owners = { for key in keys(var.queues) : key => trimsuffix(trimprefix(key, "lane-"), "-bulk") if local.kinds[key] == "lane" || local.kinds[key] == "bulk" && startswith(key, "lane-") }
  sharing = join(", ", [
    for name in slice(sort(tolist(local.shared)), 0, min(8, length(local.shared))) : name
  ])
  shared = setsubtract(var.http_aggregators, toset([for key, name in local.owners : name]))
  whose = { for key in keys(var.queues) : key =>
    try(local.owners[key] == "shared", false) ? "the aggregators of the shared lane (${local.sharing}${length(local.shared) > 8 ? " and others" : ""})" : try(local.owners[key], "")
  }
  callees = { for key in keys(var.queues) : key =>
    local.kinds[key] == "deliver" ? "whoever keeps the platform ${trimprefix(key, "deliver-")}" : try(local.them[local.owners[key]], local.us)
  }

  # How old: `later` is left out, where waiting is the point.
  ages = { for key, queue in var.queues : "age-${key}" => {
    topic       = local.kinds[key] == "bulk" ? "warn" : "page"
    text        = "Records have waited in ${queue.name}${local.whose[key] == "" ? "" : ", of ${local.whose[key]},"} for more than ${var.ages[local.kinds[key]]} s; they are safe there for 14 days. Run: jangada lane list --all. Call: ${local.callees[key]}"
    namespace   = "AWS/SQS"
    metric      = "ApproximateAgeOfOldestMessage"
    dimensions  = { QueueName = queue.name }
    statistic   = "Maximum"
    period      = 60
    periods     = 3
    threshold   = var.ages[local.kinds[key]]
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } if key != "later" }

  in_flight = { for key, queue in var.queues : "inflight-${key}" => {
    topic       = "page"
    text        = "${queue.name}${local.whose[key] == "" ? "" : ", of ${local.whose[key]},"} has more than three quarters of the ${var.in_flight_cap} records in flight that SQS allows; at the cap it gives out no more, without an error. Run: jangada lane list --all. Call: ${local.us}"
    namespace   = "AWS/SQS"
    metric      = "ApproximateNumberOfMessagesNotVisible"
    dimensions  = { QueueName = queue.name }
    statistic   = "Maximum"
    period      = 60
    periods     = 5
    threshold   = floor(var.in_flight_cap * 0.75)
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  dead = { for key, queue in var.queues : "dlq-${key}" => {
    topic       = "warn"
    text        = "${queue.dlq_name} holds records${local.whose[key] == "" ? "" : ", of ${local.whose[key]},"} that need a human; they stay for 14 days. Run: jangada dlq show ${key}. Call: ${local.callees[key]}, where the reason is theirs"
    namespace   = "AWS/SQS"
    metric      = "ApproximateNumberOfMessagesVisible"
    dimensions  = { QueueName = queue.dlq_name }
    statistic   = "Maximum"
    period      = 300
    periods     = 1
    threshold   = 0
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  link_logs = { for name in var.smscs : name =>
    "aws logs filter-log-events --log-group-name ${try(var.relay.log_group, "")} --filter-pattern '{ $.aggregator = \"${name}\" }' --query 'events[-5:].message'"
  }

  links = { for name in var.smscs : "link-${name}" => {
    topic       = "page"
    text        = "The link to ${name} has been down, or its logins refused, for 15 minutes; its messages wait in lane-${name}. Run: ${local.link_logs[name]}. Call: ${local.them[name]}"
    namespace   = var.namespace
    metric      = "link_trouble"
    dimensions  = { name = name }
    statistic   = "Sum"
    period      = 300
    periods     = 3
    threshold   = 0
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  # λ canary says every five minutes how many have failed in a row; while it does not, things are as it said last.
  canaries = { for name in var.canaries : "canary-${name}" => {
    topic       = "page"
    text        = "Two canaries of ${name} in a row have failed: a message that goes the whole way does not arrive, is not answered, or its receipt does not come. What platforms send may fare no better. Run: jangada smsc status ${name}. Call: ${local.them[name]}"
    namespace   = var.namespace
    metric      = "canary_failed"
    dimensions  = { name = name }
    statistic   = "Maximum"
    period      = 300
    periods     = 1
    threshold   = 2
    comparison  = "GreaterThanOrEqualToThreshold"
    if_no_datum = "ignore"
  } }

  accounts = { for name in var.http_aggregators : "account-${name}" => {
    topic       = "page"
    text        = "${name} refuses our account (credentials, balance, secret): its lane is paused, and tried once a minute. Run: jangada lane list; when it is put right: jangada lane resume ${name}. Call: ${local.them[name]}"
    namespace   = var.namespace
    metric      = "channel_down"
    dimensions  = { name = name }
    statistic   = "Sum"
    period      = 300
    periods     = 2
    threshold   = 0
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  in_doubt = { for name in local.aggregators : "in-doubt-${name}" => {
    topic       = "warn"
    text        = "More than ${var.limits.in_doubt} messages in 15 minutes were offered to ${name} and nobody knows whether it took them; in_doubt of its file says what became of them (resend: some phones may have got one twice). Run: ${contains(var.smscs, name) ? local.link_logs[name] : "jangada aggregator show ${name}"}. Call: ${local.them[name]}"
    namespace   = var.namespace
    metric      = "in_doubt"
    dimensions  = { name = name }
    statistic   = "Sum"
    period      = 900
    periods     = 1
    threshold   = var.limits.in_doubt
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  platforms = { for name in var.platforms : "platform-${name}" => {
    topic       = "page"
    text        = "The platform ${name} does not take what it is given; its queue is held, in order, for up to 72 hours a record. Run: jangada platform show ${name}. Call: whoever keeps the platform ${name}"
    namespace   = var.namespace
    metric      = "platform_down"
    dimensions  = { name = name }
    statistic   = "Sum"
    period      = 300
    periods     = 2
    threshold   = 0
    comparison  = "GreaterThanThreshold"
    if_no_datum = "notBreaching"
  } }

  logs = "aws logs filter-log-events --log-group-name ${var.access_log_group_name} --start-time $(date -d -15min +%s000)"

  api = {
    api-5xx = {
      topic       = "page"
      text        = "The API fails: aggregators and platforms get 5xx, and try again. Run: ${local.logs} --filter-pattern '{ $.status = \"5*\" }'. Call: ${local.us}"
      namespace   = "AWS/ApiGateway"
      metric      = "5XXError"
      dimensions  = { ApiName = var.api_name, Stage = var.stage_name }
      statistic   = "Average" # a share of the requests
      period      = 60
      periods     = 5
      threshold   = 0.01
      comparison  = "GreaterThanThreshold"
      if_no_datum = "notBreaching"
    }
    api-4xx = {
      topic       = "warn"
      text        = "A fifth of the API's requests is turned away: an aggregator's callback URL or secret is wrong, a token was revoked, or somebody is guessing. Run: ${local.logs} --filter-pattern '{ $.status = \"4*\" }'. Call: the aggregator or platform whose address (ip) the log shows"
      namespace   = "AWS/ApiGateway"
      metric      = "4XXError"
      dimensions  = { ApiName = var.api_name, Stage = var.stage_name }
      statistic   = "Average"
      period      = 300
      periods     = 3
      threshold   = 0.2
      comparison  = "GreaterThanThreshold"
      if_no_datum = "notBreaching"
    }
  }

  functions = merge([for key, function in var.function_names : {
    "errors-${key}" = {
      topic       = "page"
      text        = "${function} fails as a whole; its records are given to it again. Run: aws logs tail /aws/lambda/${function} --since 15m --filter-pattern ERROR. Call: ${local.us}"
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = function }
      statistic   = "Sum"
      period      = 300
      periods     = 3
      threshold   = 0
      comparison  = "GreaterThanThreshold"
      if_no_datum = "notBreaching"
    }
    "throttles-${key}" = {
      topic       = "warn"
      text        = "${function} may not run as often as it should: the account's concurrency is used up. Run: aws lambda get-account-settings --query AccountLimit. Call: ${local.us}"
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = function }
      statistic   = "Sum"
      period      = 300
      periods     = 3
      threshold   = 0
      comparison  = "GreaterThanThreshold"
      if_no_datum = "notBreaching"
    }
  }]...)

  relay = var.relay == null ? {} : {
    relay = {
      topic       = "page"
      text        = "Fewer than ${var.relay.tasks} tasks of the relay run; with none, nothing goes to any SMSC (${join(", ", slice(sort(tolist(var.smscs)), 0, min(8, length(var.smscs))))}). Run: aws ecs describe-services --cluster ${var.relay.cluster} --services ${var.relay.service} --query 'services[].events[:5]'. Call: ${local.us}"
      namespace   = "ECS/ContainerInsights"
      metric      = "RunningTaskCount"
      dimensions  = { ClusterName = var.relay.cluster, ServiceName = var.relay.service }
      statistic   = "Minimum"
      period      = 60
      periods     = 10
      threshold   = var.relay.tasks
      comparison  = "LessThanThreshold"
      if_no_datum = "breaching"
    }
  }

  alarms = merge(
    local.ages, local.in_flight, local.dead, local.links, local.canaries, local.accounts, local.in_doubt, local.platforms, local.api,
    local.functions, local.relay,
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = each.value.if_no_datum
  alarm_actions       = [aws_sns_topic.this[each.value.topic].arn]
  ok_actions          = [aws_sns_topic.this[each.value.topic].arn]
}

################################################################################
# Alarms on what does not come. They compare metrics: a metric that nobody counts has no datum, so it is filled with 0.
################################################################################

locals {
  # Receipts that do not come while messages go out, and receipts that fit none of them.
  receipts = merge([for name in setsubtract(local.aggregators, var.without_receipts) : {
    "receipts-${name}" = {
      text       = "${name} takes messages and has sent no receipt for half an hour: statuses stay at wired. Its callback URL, registered delivery or receiver bind is wrong, or it is in trouble. Run: jangada unmatched ${name}. Call: ${local.them[name]}"
      metrics    = { sent = "sent", receipts = "receipts" }
      expression = "IF(FILL(sent, 0) >= ${var.limits.receipts_from} AND FILL(receipts, 0) < 1, 1, 0)"
      periods    = 2
      threshold  = 0
    }
    "parked-${name}" = {
      text       = "More than ${var.limits.parked} % of the receipts of ${name} fit no message that was sent: it gives ids in another form than at submission, or they are another customer's. They are kept for 7 days. Run: jangada unmatched ${name}. Call: ${local.them[name]}"
      metrics    = { receipts = "receipts", parked = "receipts_parked" }
      expression = "IF(FILL(receipts, 0) >= ${var.limits.receipts_from}, 100 * FILL(parked, 0) / receipts, 0)"
      periods    = 3
      threshold  = var.limits.parked
    }
  }]...)

  # What there always is at this time of the day, and not now. The events queue, which is always polled, is the clock.
  silences = merge([for name, usual in var.usual_hours : { for metric in usual.metrics : "silent-${metric}-${name}" => {
    text       = "${name} has had no message ${metric == "received" ? "from a phone" : "to send"} for an hour, at a time when there always are some (${usual.from}:00 to ${usual.to}:00 UTC). Run: ${metric == "received" ? "jangada channel list --aggregator ${name}; then have a phone write to one of its numbers" : "jangada lane list --all"}. Call: ${local.them[name]}"
    metrics    = { traffic = metric }
    expression = "IF(HOUR(clock) >= ${usual.from} AND HOUR(clock) < ${usual.to}, FILL(traffic, 0), 1)"
    periods    = 4
    threshold  = 1
  } }]...)
}

resource "aws_cloudwatch_metric_alarm" "absence" {
  for_each = merge(local.receipts, local.silences)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = startswith(each.key, "silent-") ? "LessThanThreshold" : "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this["warn"].arn]
  ok_actions          = [aws_sns_topic.this["warn"].arn]

  metric_query {
    id          = "wrong"
    expression  = each.value.expression
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = var.namespace
        metric_name = metric_query.value
        dimensions  = { name = startswith(each.key, "silent-") ? trimprefix(each.key, "silent-${metric_query.value}-") : replace(each.key, "/^(receipts|parked)-/", "") }
        stat        = "Sum"
        period      = 900
      }
    }
  }

  dynamic "metric_query" {
    for_each = startswith(each.key, "silent-") ? ["clock"] : []

    content {
      id          = metric_query.value
      return_data = false

      metric {
        namespace   = "AWS/SQS"
        metric_name = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = var.queues["events"].name }
        stat        = "Maximum"
        period      = 900
      }
    }
  }
}

################################################################################
# Dashboard
################################################################################

locals {
  charts = concat(
    [
      { title = "Lanes: waiting", stat = "Maximum", metrics = [for key, queue in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name] if startswith(key, "lane-")] },
      { title = "Lanes: oldest, s", stat = "Maximum", metrics = [for key, queue in var.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name] if startswith(key, "lane-")] },
      { title = "Platforms: oldest, s", stat = "Maximum", metrics = [for key, queue in var.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name] if startswith(key, "deliver-")] },
      { title = "Dead letters", stat = "Maximum", metrics = [for key, queue in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.dlq_name]] },
      { title = "In flight (SQS falls silent at 120,000)", stat = "Maximum", metrics = [for key, queue in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", queue.name]] },
      { title = "API", stat = "Sum", metrics = [for metric in ["Count", "4XXError", "5XXError"] : ["AWS/ApiGateway", metric, "ApiName", var.api_name, "Stage", var.stage_name]] },
      { title = "Functions: at a time", stat = "Maximum", metrics = [for key, function in var.function_names : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", function]] },
      { title = "Functions: errors", stat = "Sum", metrics = [for key, function in var.function_names : ["AWS/Lambda", "Errors", "FunctionName", function]] },
    ],
    [for metric in ["sent", "failed", "retried", "throttled", "crowded", "in_doubt", "proven", "received", "receipts", "receipts_parked", "receipts_dropped", "submits_forgotten"] : {
      title   = metric, stat = "Sum"
      metrics = [for name in local.aggregators : [var.namespace, metric, "name", name]]
    } if length(local.aggregators) > 0],
    [for name in ["frozen"] : {
      title   = "Frozen by an operator", stat = "Maximum"
      metrics = [for one in local.aggregators : [var.namespace, name, "name", one]]
    } if length(local.aggregators) > 0],
    [for name in ["latency"] : {
      title   = "To the aggregator's acceptance, ms (p95)", stat = "p95"
      metrics = [for one in local.aggregators : [var.namespace, name, "name", one]]
    } if length(local.aggregators) > 0],
    [for chart in [
      { title = "Links: binds up", stat = "Sum", metric = "binds_up" },
      { title = "Links: segments a second", stat = "Sum", metric = "rate" },
      { title = "Links: window used, %", stat = "Average", metric = "window_used" },
      { title = "Links: round trip, ms (p99)", stat = "Maximum", metric = "round_trip_p99" },
      ] : {
      title   = chart.title, stat = chart.stat
      metrics = [for name in sort(tolist(var.smscs)) : [var.namespace, chart.metric, "name", name]]
    } if length(var.smscs) > 0],
    [for chart in [
      { title = "Canaries: to the receipt, ms", stat = "Maximum", metrics = [for name in sort(tolist(var.canaries)) : [var.namespace, "canary_delivered", "name", name]] },
      { title = "Canaries: failed in a row", stat = "Maximum", metrics = [for name in sort(tolist(var.canaries)) : [var.namespace, "canary_failed", "name", name]] },
    ] : chart if length(var.canaries) > 0],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({ widgets = [for index, chart in local.charts : {
    type   = "metric"
    x      = 8 * (index % 3)
    y      = 6 * floor(index / 3)
    width  = 8
    height = 6
    properties = {
      title   = chart.title
      region  = data.aws_region.this.id
      view    = "timeSeries"
      period  = 60
      stat    = chart.stat
      metrics = chart.metrics
    }
  }] })
}
