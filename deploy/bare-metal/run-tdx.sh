#!/bin/sh
# A guest with Intel TDX. QEMU from 10.1 on, Linux from 6.16 on; Intel's quote generation service listens on vsock port 4050.
# Settings come from the environment; the defaults go with the README beside this.
set -eu
image=${IMAGE:-/var/lib/fastness-guest/image}
model=${MODEL:-/var/lib/fastness-guest/model.img}
# OVMF with TDVF metadata, code and variables in one file.
firmware=${FIRMWARE:-/var/lib/fastness-guest/OVMF.tdx.fd}
cpus=${CPUS:-4}
memory=${MEMORY:-16G}
set -- -object '{"qom-type":"tdx-guest","id":"tdx0","sept-ve-disable":true,"quote-generation-socket":{"type":"vsock","cid":"2","port":"4050"}}'
# GPU=0000:41:00.0: a device that is bound to vfio-pci.
if [ -n "${GPU:-}" ]; then
  set -- "$@" -object iommufd,id=iommufd0 -device pcie-root-port,id=gpu-port,bus=pcie.0 \
    -device "vfio-pci,host=$GPU,bus=gpu-port,iommufd=iommufd0" -fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=262144
fi
exec "${QEMU:-qemu-system-x86_64}" -accel kvm -nodefaults -no-reboot -display none -serial stdio \
  -machine q35,kernel_irqchip=split,confidential-guest-support=tdx0,memory-backend=ram0,hpet=off \
  -object "memory-backend-ram,id=ram0,size=$memory" \
  -cpu host -smp "$cpus" -m "$memory" -bios "$firmware" \
  -kernel "$image/vmlinuz" -initrd "$image/initrd.img" -append "$(cat "$image/cmdline")" \
  -drive "if=none,id=model,format=raw,readonly=on,file=$model" \
  -device virtio-blk-pci,drive=model,disable-legacy=on,iommu_platform=on \
  -netdev user,id=net,hostfwd=tcp:127.0.0.1:7802-10.0.2.15:7802 \
  -device virtio-net-pci,netdev=net,disable-legacy=on,iommu_platform=on,romfile= "$@"
