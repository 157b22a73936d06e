# A confidential VM from the measured image. Arguments as documented for hashicorp/azurerm 4: linux_virtual_machine, shared_image,
# shared_image_version, managed_disk.
terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

provider "azurerm" {
  features {}
}

variable "location" {
  type        = string
  description = "A region that has the size; az vm list-skus --size says which."
}

variable "size" {
  type        = string
  default     = "Standard_DC4as_v6"
  description = "Confidential VM: DCasv6 and ECasv6 (SEV-SNP, Genoa), DCesv6 and ECesv6 (TDX), Standard_NCC40ads_H100_v5."
}

variable "storage_account_id" {
  type        = string
  description = "Storage account that boot.vhd and model.vhd were uploaded to."
}

variable "boot_vhd_url" {
  type        = string
  description = "Address of boot.vhd: the image, as a page blob."
}

variable "model_vhd_url" {
  type        = string
  description = "Address of model.vhd: the sealed model, as a page blob."
}

variable "relay_address" {
  type        = string
  description = "Address or range that may reach the enclave: that of the relay."
}

# Azure wants one; the image has no login and ignores it.
variable "unused_public_key" {
  type = string
}

resource "azurerm_resource_group" "fastness" {
  name     = "fastness"
  location = var.location
}

resource "azurerm_virtual_network" "fastness" {
  name                = "fastness"
  location            = azurerm_resource_group.fastness.location
  resource_group_name = azurerm_resource_group.fastness.name
  address_space       = ["10.20.0.0/24"]
}

resource "azurerm_subnet" "fastness" {
  name                 = "enclave"
  resource_group_name  = azurerm_resource_group.fastness.name
  virtual_network_name = azurerm_virtual_network.fastness.name
  address_prefixes     = ["10.20.0.0/24"]
}

resource "azurerm_network_security_group" "fastness" {
  name                = "fastness"
  location            = azurerm_resource_group.fastness.location
  resource_group_name = azurerm_resource_group.fastness.name

  security_rule {
    name                       = "relay"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = var.relay_address
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "7802"
  }
}

resource "azurerm_network_interface" "fastness" {
  name                = "fastness"
  location            = azurerm_resource_group.fastness.location
  resource_group_name = azurerm_resource_group.fastness.name

  ip_configuration {
    name                          = "internal"
    subnet_id                     = azurerm_subnet.fastness.id
    private_ip_address_allocation = "Static"
    private_ip_address            = "10.20.0.15"
  }
}

resource "azurerm_network_interface_security_group_association" "fastness" {
  network_interface_id      = azurerm_network_interface.fastness.id
  network_security_group_id = azurerm_network_security_group.fastness.id
}

resource "azurerm_shared_image_gallery" "fastness" {
  name                = "fastness"
  resource_group_name = azurerm_resource_group.fastness.name
  location            = azurerm_resource_group.fastness.location
}

resource "azurerm_shared_image" "fastness" {
  name                      = "fastness"
  gallery_name              = azurerm_shared_image_gallery.fastness.name
  resource_group_name       = azurerm_resource_group.fastness.name
  location                  = azurerm_resource_group.fastness.location
  os_type                   = "Linux"
  hyper_v_generation        = "V2"
  confidential_vm_supported = true

  identifier {
    publisher = "fastness"
    offer     = "enclave"
    sku       = "measured"
  }
}

resource "azurerm_shared_image_version" "fastness" {
  name                = "1.0.0"
  gallery_name        = azurerm_shared_image_gallery.fastness.name
  image_name          = azurerm_shared_image.fastness.name
  resource_group_name = azurerm_resource_group.fastness.name
  location            = azurerm_resource_group.fastness.location
  blob_uri            = var.boot_vhd_url
  storage_account_id  = var.storage_account_id

  target_region {
    name                   = azurerm_resource_group.fastness.location
    regional_replica_count = 1
  }
}

resource "azurerm_managed_disk" "model" {
  name                 = "fastness-model"
  location             = azurerm_resource_group.fastness.location
  resource_group_name  = azurerm_resource_group.fastness.name
  storage_account_type = "Premium_LRS"
  create_option        = "Import"
  source_uri           = var.model_vhd_url
  storage_account_id   = var.storage_account_id
}

resource "azurerm_linux_virtual_machine" "fastness" {
  name                  = "fastness"
  location              = azurerm_resource_group.fastness.location
  resource_group_name   = azurerm_resource_group.fastness.name
  size                  = var.size
  network_interface_ids = [azurerm_network_interface.fastness.id]
  source_image_id       = azurerm_shared_image_version.fastness.id
  admin_username        = "unused"
  vtpm_enabled          = true
  # The image is not signed for Secure Boot; what booted is in registers 4, 9 and 11.
  secure_boot_enabled = false
  provision_vm_agent  = false
  # An agent would run inside; there is none, and no extension may be installed.
  allow_extension_operations = false

  admin_ssh_key {
    username   = "unused"
    public_key = var.unused_public_key
  }

  os_disk {
    caching                  = "ReadOnly"
    storage_account_type     = "Premium_LRS"
    security_encryption_type = "VMGuestStateOnly"
  }
}

resource "azurerm_virtual_machine_data_disk_attachment" "model" {
  managed_disk_id    = azurerm_managed_disk.model.id
  virtual_machine_id = azurerm_linux_virtual_machine.fastness.id
  lun                = 0
  caching            = "ReadOnly"
}

output "enclave_url" {
  value = "http://${azurerm_network_interface.fastness.private_ip_address}:7802"
}
