################################################################################
# SMSCs that call: one load balancer, a listener and a target group for each
################################################################################

resource "aws_security_group" "outbind" {
  count = length(var.outbinds) > 0 ? 1 : 0

  name        = "${var.name}-outbind"
  description = "Load balancer of outbinds: in from the SMSCs that call, out to the relay"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-outbind" }
}

locals {
  # What a task needs to be called: the health check comes from the load balancer, too.
  called = { for key, value in {
    command      = ["--health-port", tostring(local.health_port), "--health-host", "0.0.0.0"]
    portMappings = [for name in sort(keys(var.outbinds)) : { containerPort = var.outbinds[name].port, hostPort = var.outbinds[name].port, protocol = "tcp" }]
  } : key => value if length(var.outbinds) > 0 }

  callers = merge([for name, one in var.outbinds : { for network in one.networks : "${name} ${network}" => {
    name = name, network = network, port = one.port
  } }]...)
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = local.callers

  security_group_id = aws_security_group.outbind[0].id
  description       = "SMSC ${each.value.name}"
  cidr_ipv4         = each.value.network
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "onwards" {
  for_each = length(var.outbinds) > 0 ? merge({ health = local.health_port }, { for name, one in var.outbinds : name => one.port }) : {}

  security_group_id            = aws_security_group.outbind[0].id
  description                  = "The relay: ${each.key}"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# The load balancer leaves the SMSC's address as it is, for the relay to check.
resource "aws_vpc_security_group_ingress_rule" "caller" {
  for_each = local.callers

  security_group_id = aws_security_group.this.id
  description       = "SMSC ${each.value.name}"
  cidr_ipv4         = each.value.network
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "health" {
  count = length(var.outbinds) > 0 ? 1 : 0

  security_group_id            = aws_security_group.this.id
  description                  = "Health checks"
  referenced_security_group_id = aws_security_group.outbind[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.health_port
  to_port                      = local.health_port
}

resource "aws_lb" "outbind" {
  #checkov:skip=CKV_AWS_91:A network load balancer logs TLS listeners only, and these pass TCP through; flow logs have the rest.
  #checkov:skip=CKV_AWS_150:Its addresses are those of the configuration: made again, it has the same.
  count = length(var.outbinds) > 0 ? 1 : 0

  name                             = "${substr(var.name, 0, 24)}-outbind"
  load_balancer_type               = "network"
  internal                         = true
  security_groups                  = [aws_security_group.outbind[0].id]
  enable_cross_zone_load_balancing = true # either address leads to either task

  dynamic "subnet_mapping" {
    for_each = var.outbind_subnets

    content {
      subnet_id            = subnet_mapping.value.subnet_id
      private_ipv4_address = subnet_mapping.value.address
    }
  }
}

resource "aws_lb_target_group" "outbind" {
  for_each = var.outbinds

  # A name may have 32 characters; another port is another group.
  name                 = "outbind-${substr(sha1("${var.name} ${each.key} ${each.value.port}"), 0, 16)}"
  port                 = each.value.port
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  preserve_client_ip   = true
  deregistration_delay = 30

  # Every task listens, and takes a call if it gets the bind's lease: a task that lives is one to be called.
  health_check {
    protocol            = "HTTP"
    port                = local.health_port
    path                = "/health"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "outbind" {
  for_each = var.outbinds

  load_balancer_arn = aws_lb.outbind[0].arn
  port              = each.value.port
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.outbind[each.key].arn
  }
}
