import { basename, join } from 'node:path';
import { policySectionOf } from '@fastness/attest';
import {
  CCEL_DATA,
  CCEL_TABLE,
  CONFIGFS_TSM,
  GRAMINE_ATTESTATION,
  NSM_DEVICE,
  openConfigfsTsm,
  openGramine,
  openNsm,
  openSevGuest,
  openTdxGuest,
  SEV_GUEST_DEVICE,
  TDX_GUEST_DEVICE,
  type Collector,
  type TdxLogOptions,
} from '@fastness/evidence';
import { accessOf, faultOf, type DeviceFinding } from './device.ts';

const TSM_KIND = 'SEV-SNP, TDX or CCA through configfs-tsm';
const tsmMissing = Object.freeze([
  'This is for confidential virtual machines: the host starts them with SEV-SNP, TDX or CCA, and its BIOS must have that on.',
  'In such a machine: Linux 6.7 or later (CCA: 6.13), then `modprobe configfs`, `mount -t configfs none /sys/kernel/config`,',
  'and the driver: `modprobe sev-guest`, `modprobe tdx_guest` or `modprobe arm-cca-guest`.',
]);
const forRoot = (path: string): readonly string[] => [
  `Run as root, or give a group of the enclave's user read and write access to ${path}. As /etc/udev/rules.d/70-fastness.rules:`,
  `KERNEL=="${basename(path)}", GROUP="GROUP", MODE="0660"; then \`udevadm control --reload && udevadm trigger\`.`,
];

/** What protects memory: the kernel's common interface, and the older ones of single vendors. */
export async function processorDevices(root: string): Promise<readonly DeviceFinding[]> {
  const eventLog = { tablePath: join(root, CCEL_TABLE), dataPath: join(root, CCEL_DATA) };
  return await Promise.all([
    configfsTsm(join(root, CONFIGFS_TSM), eventLog),
    olderDevice({
      kind: 'SEV-SNP guest device',
      path: join(root, SEV_GUEST_DEVICE),
      open: async (path) => {
        const collector = openSevGuest({ path });
        // Whether it works only a report tells: this one is for nobody.
        await collector.collect(new Uint8Array(64));
        return collector;
      },
      missing: ['Made by the driver: `modprobe sev-guest`, in a SEV-SNP guest with Linux 5.19 or later.'],
    }),
    olderDevice({
      kind: 'TDX guest device',
      path: join(root, TDX_GUEST_DEVICE),
      open: async (path) => {
        const collector = await openTdxGuest({ path, eventLog });
        // Whether the host's service answers only a quote tells: this one is for nobody.
        await collector.collect(new Uint8Array(64));
        return collector;
      },
      missing: ['Made by the driver: `modprobe tdx_guest`, in a TDX guest with Linux 6.2 or later.'],
    }),
    gramine(join(root, GRAMINE_ATTESTATION)),
    olderDevice({
      kind: 'AWS Nitro security module',
      path: join(root, NSM_DEVICE),
      open: (path) => openNsm({ path }),
      missing: [
        'Made by the driver `nsm` (Linux 6.8 or later, or that of AWS), in a Nitro enclave; not on its parent.',
      ],
    }),
  ]);
}

async function configfsTsm(path: string, eventLog: TdxLogOptions): Promise<DeviceFinding> {
  const state = await accessOf(path);
  const finding = { kind: TSM_KIND, path };
  if (state === 'missing') return { ...finding, state, detail: 'The kernel has no such folder.', next: tsmMissing };
  if (state === 'not-permitted') {
    return {
      ...finding,
      state,
      detail: 'Entries can be made by root only.',
      next: ['Run as root: configfs gives no rights to others.'],
    };
  }
  const noDriver = 'The folder is there, and no driver makes reports.';
  return await opened(finding, () => openConfigfsTsm({ root: path, eventLog }), { detail: noDriver, next: tsmMissing });
}

async function gramine(path: string): Promise<DeviceFinding> {
  const finding = { kind: 'SGX under Gramine', path };
  const next = [
    'Made by Gramine in an SGX enclave (`gramine-sgx`), with sgx.remote_attestation = "dcap" in the manifest;',
    'the host needs SGX on in its BIOS, /dev/sgx_enclave, and the AESM service with the DCAP quote provider.',
  ];
  const absent = { detail: 'There is none.', next };
  if ((await accessOf(path)) === 'missing') return { ...finding, state: 'missing', ...absent };
  return await opened(
    finding,
    async () => {
      const collector = await openGramine({ root: path });
      await collector?.collect(new Uint8Array(64));
      return collector;
    },
    absent,
  );
}

/** Opens what may be opened: only then is it known whether it works. */
async function opened(
  finding: { readonly kind: string; readonly path: string },
  open: () => Promise<Collector | undefined>,
  absent: { readonly detail: string; readonly next: readonly string[] },
): Promise<DeviceFinding> {
  try {
    const collector = await open();
    if (collector === undefined) return { ...finding, state: 'missing', ...absent };
    return {
      ...finding,
      state: 'usable',
      detail: `${(await collector.detect()).detail}: evidence is ${collector.tee}.`,
      next: [],
      tee: collector.tee,
      policy: { section: policySectionOf[collector.tee] },
    };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}

async function olderDevice(device: {
  readonly kind: string;
  readonly path: string;
  readonly missing: readonly string[];
  readonly open: (path: string) => Promise<Collector | undefined>;
}): Promise<DeviceFinding> {
  const { kind, path, missing, open } = device;
  const state = await accessOf(path);
  if (state === 'missing') return { kind, path, state, detail: 'There is none.', next: missing };
  if (state === 'not-permitted')
    return { kind, path, state, detail: 'This user may not read and write it.', next: forRoot(path) };
  return await opened({ kind, path }, () => open(path), { detail: 'There is none.', next: missing });
}
