# A deployment with one HTTP aggregator in the shared lane, one with a lane of its own, an SMSC behind a VPN, and a
# second account at it. Copy this folder, and change what is marked.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.99, < 7.0"
    }
  }

  # The state holds the VPN's keys: keep it in an encrypted bucket that few may read (docs/deploy.md).
  # Its name is given at `terraform init`, by backend.hcl.
  backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "jangada", stage = "example" }
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  default     = "eu-west-1" # change
}

module "jangada" {
  source = "../.."

  stage           = "example"                                                                             # change
  aggregators_dir = "${path.module}/aggregators"                                                          # yours
  domain          = "sms.example.org"                                                                     # change
  certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-4000-8000-000000000000" # change
  zone_id         = null                                                                                  # or your Route 53 zone

  emails = {
    page = ["oncall@example.org"] # change
    warn = ["team@example.org"]   # change
  }

  relay = {
    image_tag = "v1"
  }
}

output "jangada" {
  description = "Everything that the deployment says of itself."
  value       = module.jangada
}
