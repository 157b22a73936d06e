import { join } from 'node:path';
import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { eventTypeName, parseEventLog } from '@fastness/attest/event-log';
import { FIRMWARE_EVENT_LOG, openTpmCollector, TPM_DEVICE } from '@fastness/evidence';
import {
  getProperty,
  openSwtpmSocket,
  openTpm,
  openTpmDevice,
  pcrRead,
  properties,
  type Bank,
} from '@fastness/evidence/tpm';
import { accessOf, faultOf, tryKernelFile, type DeviceFinding } from './device.ts';

const KIND = 'TPM 2.0';
/** Registers whose values are shown: what firmware, boot loader and kernel extend, and the enclave's own. */
const SHOWN = Object.freeze([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15]);
/** Banks that a policy can name. */
const shownBanks: readonly Bank[] = Object.freeze(['SHA-256', 'SHA-384', 'SHA-512']);
/** The register that a policy's `measurements` are of unless it says otherwise. */
const MEASUREMENT_PCR = 4;
const MAX_LOG_BYTES = 4 << 20;

const missing = Object.freeze([
  'Turn it on in the BIOS (fTPM, PTT, security device), or add a virtual one to the machine.',
  'The driver: `modprobe tpm_tis` or `modprobe tpm_crb`; /dev/tpm0 without /dev/tpmrm0 is a TPM 1.2, which is not enough.',
]);

export interface TpmDeviceOptions {
  /** Before every path; default none. */
  readonly root: string;
  /** Device, or the socket of an emulator (ending in `.sock`). Default: {@link TPM_DEVICE} below `root`. */
  readonly path?: string;
  /** Default: the kernel's, below `root`. */
  readonly eventLogPath?: string;
}

/** What a TPM says of itself, and what a policy has to pin: a quote is made, and nothing of the TPM is changed. */
export async function tpmDevice(options: TpmDeviceOptions): Promise<DeviceFinding> {
  const { root, path = join(root, TPM_DEVICE), eventLogPath = join(root, FIRMWARE_EVENT_LOG) } = options;
  const finding = { kind: KIND, path };
  const state = await accessOf(path);
  if (state === 'missing') return { ...finding, state, detail: 'There is none.', next: missing };
  if (state === 'not-permitted') {
    return {
      ...finding,
      state,
      detail: 'This user may not read and write it.',
      next: ['Add the user of the enclave to the group of the device: `usermod -aG tss USER` on Debian.'],
    };
  }
  try {
    const log = await firmwareLog(eventLogPath);
    const attestationKey = await keyAndQuote(path);
    const { manufacturer, registers } = await describe(path);
    const measured = registers['SHA-256']?.[MEASUREMENT_PCR];
    return {
      ...finding,
      // Without its log a collector that was told of none does not start; see EVIDENCE_UNREACHABLE.
      state: log.state === 'missing' ? 'not-working' : log.state,
      detail:
        log.state === 'usable'
          ? `${manufacturer}, banks ${Object.keys(registers).join(', ')}, event log of ${log.events} events`
          : `${manufacturer}: the TPM answers, and the log of the firmware cannot be used: ${log.detail}`,
      next: log.next,
      policy: {
        section: 'tpm',
        attestationKeys: [attestationKey],
        // Zero: nothing was measured, so pinning it would accept whatever boots here.
        ...(measured === undefined || /^0*$/.test(measured) ? {} : { measurements: [measured] }),
        ...(log.state === 'usable' ? { eventLog: 'required' } : {}),
      },
      facts: { manufacturer, attestationKey, registers, eventLog: log.facts },
    };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}

/** The digest of the attestation key; a quote is made with it, because a TPM that answers may still not quote. */
async function keyAndQuote(path: string): Promise<string> {
  const collector = await openTpmCollector({ path, eventLogPath: undefined });
  try {
    const attestationKey = await collector.attestationKey();
    await collector.collect(new Uint8Array(32));
    return attestationKey;
  } finally {
    await collector.close();
  }
}

async function describe(path: string): Promise<{
  manufacturer: string;
  registers: Partial<Record<Bank, Record<number, string>>>;
}> {
  const tpm = openTpm({ transport: await (path.endsWith('.sock') ? openSwtpmSocket(path) : openTpmDevice(path)) });
  try {
    const registers: Partial<Record<Bank, Record<number, string>>> = {};
    for (const bank of shownBanks) {
      try {
        const values = await pcrRead(tpm, { bank, indexes: SHOWN });
        registers[bank] = Object.fromEntries([...values].map(([index, value]) => [index, toHex(value)]));
      } catch (error) {
        // Not active, or not known to this TPM at all.
        const inactive = ['TPM_DEVICE_UNSUPPORTED', 'TPM_DEVICE_REFUSED'];
        if (!(error instanceof FastnessError && inactive.includes(error.code))) throw error;
      }
    }
    const letters = (await getProperty(tpm, properties.manufacturer)) ?? 0;
    const manufacturer = [24, 16, 8, 0]
      .map((shift) => String.fromCharCode((letters >>> shift) & 0x7f))
      .join('')
      .replaceAll(/[^ -~]/g, '')
      .trim();
    return { manufacturer: manufacturer === '' ? 'unknown maker' : manufacturer, registers };
  } finally {
    await tpm.close();
  }
}

interface LogFinding {
  readonly state: 'usable' | 'missing' | 'not-permitted' | 'not-working';
  readonly detail: string;
  readonly next: readonly string[];
  readonly events: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

async function firmwareLog(path: string): Promise<LogFinding> {
  const bytes = await tryKernelFile(path, MAX_LOG_BYTES);
  if (bytes === undefined) {
    const state = (await accessOf(path)) === 'missing' ? 'missing' : 'not-permitted';
    const next =
      state === 'missing'
        ? ['`mount -t securityfs none /sys/kernel/security`; without UEFI the firmware may keep no log.']
        : [`${path} is for root only: run as root, or let a service that is root make it readable at boot.`];
    return { state, detail: `${path}: ${state}.`, next, events: 0, facts: { path, state } };
  }
  try {
    const { format, banks: named, events } = parseEventLog(bytes);
    const types = [...new Set(events.map(({ type }) => eventTypeName(type)))];
    const facts = { path, state: 'usable', format, banks: named, events: events.length, types };
    if (format !== 'crypto-agile') {
      const detail = 'It is in the form of TPM 1.2.';
      const next = ['Switch the firmware to TPM 2.0 event logs (SHA-256).'];
      return { state: 'not-working', detail, next, events: events.length, facts };
    }
    return { state: 'usable', detail: format, next: [], events: events.length, facts };
  } catch (error) {
    const { detail, next } = faultOf(error);
    return { state: 'not-working', detail, next, events: 0, facts: { path, state: 'not-working', detail } };
  }
}
