#!/bin/sh
# A guest with SEV-SNP: firmware, kernel, archive and command line are in the launch digest. QEMU from 9.1 on, Linux from 6.11 on.
# Settings come from the environment; the defaults go with the README beside this.
set -eu
image=${IMAGE:-/var/lib/fastness-guest/image}
model=${MODEL:-/var/lib/fastness-guest/model.img}
# AmdSevX64 of edk2: it has a page for the hashes of kernel, archive and command line, and compares them.
firmware=${FIRMWARE:-/var/lib/fastness-guest/OVMF.amdsev.fd}
# What `fastness measure --cpus --cpu-type` was given.
cpus=${CPUS:-4}
cpu=${CPU:-EPYC-v4}
memory=${MEMORY:-16G}
# 0x30000: version 0 of the policy's format, SMT allowed, no debugging, no migration.
set -- -object "sev-snp-guest,id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on"
# GPU=0000:41:00.0: a device that is bound to vfio-pci.
if [ -n "${GPU:-}" ]; then
  set -- "$@" -object iommufd,id=iommufd0 -device pcie-root-port,id=gpu-port,bus=pcie.0 \
    -device "vfio-pci,host=$GPU,bus=gpu-port,iommufd=iommufd0" -fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=262144
fi
exec "${QEMU:-qemu-system-x86_64}" -enable-kvm -nodefaults -no-reboot -display none -serial stdio \
  -machine q35,confidential-guest-support=sev0,memory-backend=ram0,vmport=off \
  -object "memory-backend-memfd,id=ram0,size=$memory,share=true,prealloc=false" \
  -cpu "$cpu" -smp "$cpus" -m "$memory" -bios "$firmware" \
  -kernel "$image/vmlinuz" -initrd "$image/initrd.img" -append "$(cat "$image/cmdline")" \
  -drive "if=none,id=model,format=raw,readonly=on,file=$model" \
  -device virtio-blk-pci,drive=model,disable-legacy=on,iommu_platform=on \
  -netdev user,id=net,hostfwd=tcp:127.0.0.1:7802-10.0.2.15:7802 \
  -device virtio-net-pci,netdev=net,disable-legacy=on,iommu_platform=on,romfile= "$@"
