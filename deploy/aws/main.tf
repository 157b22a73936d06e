# One of two: a parent instance for a Nitro Enclave, or an instance with NitroTPM that boots the measured image. Arguments as
# documented for hashicorp/aws 6: instance, ami, ebs_snapshot_import.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  type = string
}

variable "subnet_id" {
  type = string
}

variable "security_group_id" {
  type        = string
  description = "Lets the relay reach port 7802 and nobody else."
}

variable "parent_ami_id" {
  type        = string
  default     = ""
  description = "Amazon Linux 2023 for the parent of a Nitro Enclave. Empty: no parent."
}

variable "bucket" {
  type        = string
  default     = ""
  description = "Bucket with boot.img and model.img. Empty: no instance with NitroTPM."
}

variable "import_role" {
  type        = string
  default     = "vmimport"
  description = "Role of VM Import/Export that may read the bucket."
}

# Nitro Enclaves: the instance type needs at least 4 vCPUs; bare metal, T3 and T4g have none.
resource "aws_instance" "parent" {
  count                  = var.parent_ami_id == "" ? 0 : 1
  ami                    = var.parent_ami_id
  instance_type          = "m7i.2xlarge"
  subnet_id              = var.subnet_id
  vpc_security_group_ids = [var.security_group_id]

  enclave_options {
    enabled = true
  }

  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_ebs_snapshot_import" "disk" {
  for_each  = var.bucket == "" ? toset([]) : toset(["boot.img", "model.img"])
  role_name = var.import_role

  disk_container {
    format = "RAW"

    user_bucket {
      s3_bucket = var.bucket
      s3_key    = each.key
    }
  }
}

resource "aws_ami" "measured" {
  count               = var.bucket == "" ? 0 : 1
  name                = "fastness-measured"
  architecture        = "x86_64"
  virtualization_type = "hvm"
  boot_mode           = "uefi"
  tpm_support         = "v2.0"
  ena_support         = true
  imds_support        = "v2.0"
  root_device_name    = "/dev/xvda"

  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot_import.disk["boot.img"].id
    volume_type = "gp3"
  }

  ebs_block_device {
    device_name = "/dev/sdf"
    snapshot_id = aws_ebs_snapshot_import.disk["model.img"].id
    volume_type = "gp3"
  }
}

resource "aws_instance" "measured" {
  count                  = var.bucket == "" ? 0 : 1
  ami                    = aws_ami.measured[0].id
  instance_type          = "m7i.xlarge"
  subnet_id              = var.subnet_id
  vpc_security_group_ids = [var.security_group_id]
  private_ip             = "10.20.0.15"

  metadata_options {
    http_tokens = "required"
  }
}
