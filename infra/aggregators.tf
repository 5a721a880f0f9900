################################################################################
# The aggregator files: what they make of this deployment. `jangada aggregator check` says whether they are right.
################################################################################

locals {
  # `!secret` is a tag of ours, which yamldecode does not know: the value is in SSM, and none of Terraform's business.
  files = { for file in fileset(var.aggregators_dir, "*.{yaml,yml}") : file =>
    yamldecode(replace(file("${var.aggregators_dir}/${file}"), "/!secret\\b([ \\t]*(\"\"|''))?/", "null"))
  }

  aggregators = { for file, one in local.files : one.name => one if can(one.name) }

  platforms = merge([for file, one in local.files : try({ for name, platform in one.platforms : name =>
    { concurrency = try(tonumber(platform.concurrency), 5) }
  }, {})]...)

  named_platforms = toset(flatten([for name, one in local.aggregators : [for channel in try(one.channels, null) == null ? [] : one.channels : channel.platform]]))

  smsc_types = ["SMPP", "UCP", "CIMD2"]

  # Types whose APIs send no receipts (docs/channels): nobody waits for one.
  no_receipt_types = ["AC", "CM", "CS", "GL", "HM", "I2", "M3", "MG", "NV", "PM", "RR", "SC", "SQ", "ST", "TS", "YO"]
  without_receipts = setunion(var.alarms.without_receipts, [for name, one in local.https : name if contains(local.no_receipt_types, upper(one.type))])

  smscs      = { for name, one in local.aggregators : name => one if contains(local.smsc_types, upper(one.type)) }
  https      = { for name, one in local.aggregators : name => one if !contains(local.smsc_types, upper(one.type)) }
  contacts   = { for name, one in local.aggregators : name => join(", ", [for kind, whom in one.contacts : "${name}'s ${kind} ${whom}"]) if try(length(one.contacts) > 0, false) }
  http_lanes = toset([for name, one in local.https : name if try(one.lane, "shared") == "own"])
  smsc_names = toset(keys(local.smscs))
  canaries   = toset([for name, one in local.smscs : name if can(one.canary.channel)])
  any_smsc   = length(local.smscs) > 0

  # How HTTP aggregators are reached, where it is not from anywhere (docs/aggregators.md): λ send_nat and λ send_vpc.
  egress       = { for name, one in local.https : name => one.egress if contains(["nat", "vpc"], try(one.egress, "")) }
  egress_kinds = toset(values(local.egress))
  any_network  = local.any_smsc || length(local.egress) > 0
  any_source   = local.any_smsc || contains(local.egress_kinds, "vpc") # somebody is behind a VPN

  egress_slips = concat(
    [for name, one in local.aggregators : "${name}: egress must be public, nat or vpc" if !contains(["public", "nat", "vpc"], try(one.egress, "public"))],
    [for name, one in local.smscs : "${name}: an SMSC has no egress" if try(one.egress, "public") != "public"],
    [for name in keys(local.egress) : "${name}: egress needs `lane: own`" if !contains(local.http_lanes, name)],
    [for name, kind in local.egress : "${name}: egress: vpc needs `vpn` with their_networks" if kind == "vpc" && !can(local.vpns[name].their_networks[0])],
    [for name, kind in local.egress : "${name}: egress: vpc needs a URL in config" if kind == "vpc" && length([for one in local.urls : one if one.name == name]) == 0],
  )

  # Ports of the URLs in the files of those; a URL that is a secret shows none.
  urls = flatten([for name in keys(local.egress) : [
    for url in flatten([for config in concat([try(local.https[name].config, {})], [for channel in try(local.https[name].channels, []) : try(channel.config, {})]) :
    [for value in config == null ? [] : values(config) : value if can(regex("^https?://", value))]]) :
    { name = name, port = try(tonumber(regex("^https?://[^/?#]*:([0-9]+)(?:[/?#]|$)", url)[0]), startswith(url, "https:") ? 443 : 80) }
  ]])

  # Where each function may go: λ send_nat to the web and these ports, λ send_vpc to the networks of its aggregators.
  function_endpoints = { for kind in local.egress_kinds : "send_${kind}" => toset(concat(
    kind == "nat" ? [for port in [80, 443] : { name = "the web", cidr = "0.0.0.0/0", port = port }] : [],
    flatten([for one in local.urls : [
      for network in kind == "nat" ? ["0.0.0.0/0"] : try(local.vpns[one.name].their_networks, []) : { name = one.name, cidr = network, port = one.port }
      if kind == "vpc" || !contains([80, 443], one.port)
    ] if local.egress[one.name] == kind]),
  )) }

  # A VPN form; modules/vpn fills the blanks. One algorithm may be written without brackets.
  vpns = { for name, one in local.aggregators : name => merge(
    { for key in ["peer_ip", "their_networks", "routing", "bgp_asn", "selector"] : key => one.vpn[key] if can(one.vpn[key]) },
    { ike = merge(
      { for key in ["version"] : "versions" => [for version in flatten([one.vpn.ike[key]]) : "ikev${version}"] if can(one.vpn.ike[key]) },
      { for phase in ["phase1", "phase2"] : phase => merge(
        { for key in ["encryption", "integrity", "dh_groups"] : key => flatten([one.vpn.ike[phase][key]]) if can(one.vpn.ike[phase][key]) },
        { for key in ["lifetime"] : key => one.vpn.ike[phase][key] if can(one.vpn.ike[phase][key]) },
      ) },
    ) },
  ) if can(one.vpn.peer_ip) }

  vpn_keys = {
    "vpn"            = ["peer_ip", "their_networks", "routing", "bgp_asn", "selector", "ike"]
    "vpn.ike"        = ["version", "phase1", "phase2"]
    "vpn.ike.phase1" = ["encryption", "integrity", "dh_groups", "lifetime"]
    "vpn.ike.phase2" = ["encryption", "integrity", "dh_groups", "lifetime"]
  }

  # What nobody would read, a slip of the pen for instance, and what cannot be left out.
  vpn_slips = flatten([for name, one in local.aggregators : concat(
    [for key in try(keys(one.vpn), []) : "${name}: vpn.${key}" if !contains(local.vpn_keys["vpn"], key)],
    [for key in try(keys(one.vpn.ike), []) : "${name}: vpn.ike.${key}" if !contains(local.vpn_keys["vpn.ike"], key)],
    [for key in try(keys(one.vpn.ike.phase1), []) : "${name}: vpn.ike.phase1.${key}" if !contains(local.vpn_keys["vpn.ike.phase1"], key)],
    [for key in try(keys(one.vpn.ike.phase2), []) : "${name}: vpn.ike.phase2.${key}" if !contains(local.vpn_keys["vpn.ike.phase2"], key)],
  )])
  vpn_blanks = flatten([for name, one in local.aggregators : [for key in ["peer_ip", "their_networks"] : "${name}: vpn.${key}" if !can(one.vpn[key])] if try(length(keys(one.vpn)) > 0, false)])

  # Where the relay goes to: hosts and ports of each SMSC.
  ports = { SMPP = 2775, UCP = 5000, CIMD2 = 9971 } # where a file leaves it out
  hosts = flatten([for name, one in local.smscs : [for pair in concat(
    [[one.config.host, try(one.config.port, local.ports[upper(one.type)])]],
    can(one.config.rx_host) || can(one.config.rx_port) ? [[try(one.config.rx_host, one.config.host), try(one.config.rx_port, one.config.port, local.ports[upper(one.type)])]] : [],
    [for host in try(one.config.fallback_hosts, []) : [split(":", host)[0], try(tonumber(split(":", host)[1]), one.config.port, local.ports[upper(one.type)])]],
  ) : { name = name, host = tostring(pair[0]), port = tonumber(pair[1]), address = can(cidrnetmask("${pair[0]}/32")) }]])

  networks = toset(flatten([for name, vpn in local.vpns : vpn.their_networks]))

  # Whether a host is behind one of the VPNs, in whosever file that is; names are taken to be behind their own.
  behind = { for one in local.hosts : "${one.name} ${one.host}" => one.address ? anytrue([for network in local.networks :
    cidrhost("${one.host}/${split("/", network)[1]}", 0) == cidrhost(network, 0)
  ]) : contains(keys(local.vpns), one.name) }

  # A security group takes addresses: a name gets its VPN's networks, on its port.
  endpoints = toset(flatten([for one in local.hosts : one.address
    ? [{ name = one.name, cidr = "${one.host}/32", port = one.port }]
    : [for network in try(local.vpns[one.name].their_networks, []) : { name = one.name, cidr = network, port = one.port }]
  ]))

  nowhere = [for one in local.hosts : "${one.name}: ${one.host}" if !one.address && !contains(keys(local.vpns), one.name)]
}
