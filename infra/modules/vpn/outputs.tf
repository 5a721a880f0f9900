output "connections" {
  description = "Each VPN by aggregator: its id, and what the other side's form asks of us (tunnel addresses, traffic selectors, parameters of both phases): `jangada smsc form` makes it of this. The keys are in the configuration that `aws ec2 get-vpn-connection-device-sample-configuration` gives."
  value = { for name, one in aws_vpn_connection.this : name => {
    id              = one.id
    tunnel1_address = one.tunnel1_address
    tunnel2_address = one.tunnel2_address
    our_selector    = var.source_cidr
    their_selector  = local.selectors[name]
    peer_ip         = var.connections[name].peer_ip
    routing         = var.connections[name].routing
    ike             = var.connections[name].ike
  } }
}
