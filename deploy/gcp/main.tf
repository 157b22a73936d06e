# A Confidential VM with Intel TDX from the measured image. Arguments as documented for hashicorp/google 7: compute_image,
# compute_disk, compute_instance.
terraform {
  required_version = ">= 1.9"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
  }
}

provider "google" {
  project = var.project
  zone    = var.zone
}

variable "project" {
  type = string
}

variable "zone" {
  type        = string
  description = "A zone that has C3 with Intel TDX."
}

variable "bucket" {
  type        = string
  description = "Cloud Storage bucket with boot.tar.gz and model.tar.gz, each a disk.raw."
}

variable "relay_range" {
  type        = string
  description = "Range that may reach the enclave: that of the relay."
}

resource "google_compute_network" "fastness" {
  name                    = "fastness"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "fastness" {
  name          = "enclave"
  region        = replace(var.zone, "/-[a-z]$/", "")
  network       = google_compute_network.fastness.id
  ip_cidr_range = "10.20.0.0/24"
}

resource "google_compute_firewall" "relay" {
  name          = "fastness-relay"
  network       = google_compute_network.fastness.id
  source_ranges = [var.relay_range]

  allow {
    protocol = "tcp"
    ports    = ["7802"]
  }
}

resource "google_compute_image" "boot" {
  name = "fastness-boot"

  raw_disk {
    source = "https://storage.googleapis.com/${var.bucket}/boot.tar.gz"
  }

  dynamic "guest_os_features" {
    for_each = toset(["UEFI_COMPATIBLE", "TDX_CAPABLE", "GVNIC"])
    content {
      type = guest_os_features.value
    }
  }
}

resource "google_compute_image" "model" {
  name = "fastness-model"

  raw_disk {
    source = "https://storage.googleapis.com/${var.bucket}/model.tar.gz"
  }
}

resource "google_compute_disk" "model" {
  name  = "fastness-model"
  image = google_compute_image.model.id
  type  = "pd-balanced"
}

resource "google_compute_instance" "fastness" {
  name         = "fastness"
  machine_type = "c3-standard-4"

  boot_disk {
    initialize_params {
      image = google_compute_image.boot.id
      type  = "pd-balanced"
    }
  }

  attached_disk {
    source = google_compute_disk.model.id
    mode   = "READ_ONLY"
  }

  network_interface {
    subnetwork = google_compute_subnetwork.fastness.id
    network_ip = "10.20.0.15"
    nic_type   = "GVNIC"
  }

  confidential_instance_config {
    confidential_instance_type = "TDX"
  }

  scheduling {
    on_host_maintenance = "TERMINATE"
  }

  shielded_instance_config {
    # The image is not signed for Secure Boot; RTMR 1 and 2 say what booted.
    enable_secure_boot          = false
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
}

output "enclave_url" {
  value = "http://${google_compute_instance.fastness.network_interface[0].network_ip}:7802"
}
