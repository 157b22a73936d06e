/** Hashes of event logs and of the registers that they are replayed to. */
export type LogHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Hashes by TPM_ALG_ID (TCG Algorithm Registry, section 6). A log may hold others, which are skipped by their size. */
export const logHashes: ReadonlyMap<number, LogHash> = new Map([
  [0x0004, 'SHA-1'],
  [0x000b, 'SHA-256'],
  [0x000c, 'SHA-384'],
  [0x000d, 'SHA-512'],
]);

/** Bytes of a digest. */
export const logDigestBytes: Readonly<Record<LogHash, number>> = Object.freeze({
  'SHA-1': 20,
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
});

/** An event that only informs and is not extended into a register. */
export const EV_NO_ACTION = 3;

/** Bytes of a log; a UEFI machine with full Secure Boot databases has about 64 KiB. */
export const MAX_LOG_BYTES = 4 << 20;
export const MAX_EVENTS = 1 << 15;
/** Registers that a log may name: a PC client TPM has 24. An event that is not extended may name none at all. */
export const MAX_LOG_REGISTER = 23;
/** Banks of one log. */
export const MAX_BANKS = 8;
/** Bytes of the largest digest that a header may announce. */
export const MAX_DIGEST_BYTES = 64;

/** Text that the first event of a crypto-agile log begins with. */
export const SPEC_ID = 'Spec ID Event03\0';
/** Text of the event that says from which locality the TPM was started. */
export const STARTUP_LOCALITY = 'StartupLocality\0';

/** Names of common event types (PC Client Platform Firmware Profile, section 10.4.1), for people. */
const names: ReadonlyMap<number, string> = new Map([
  [0x00, 'EV_PREBOOT_CERT'],
  [0x01, 'EV_POST_CODE'],
  [EV_NO_ACTION, 'EV_NO_ACTION'],
  [0x04, 'EV_SEPARATOR'],
  [0x05, 'EV_ACTION'],
  [0x06, 'EV_EVENT_TAG'],
  [0x07, 'EV_S_CRTM_CONTENTS'],
  [0x08, 'EV_S_CRTM_VERSION'],
  [0x09, 'EV_CPU_MICROCODE'],
  [0x0a, 'EV_PLATFORM_CONFIG_FLAGS'],
  [0x0b, 'EV_TABLE_OF_DEVICES'],
  [0x0c, 'EV_COMPACT_HASH'],
  [0x0d, 'EV_IPL'],
  [0x11, 'EV_NONHOST_CODE'],
  [0x12, 'EV_NONHOST_CONFIG'],
  [0x13, 'EV_NONHOST_INFO'],
  [0x14, 'EV_OMIT_BOOT_DEVICE_EVENTS'],
  [0x8000_0001, 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
  [0x8000_0002, 'EV_EFI_VARIABLE_BOOT'],
  [0x8000_0003, 'EV_EFI_BOOT_SERVICES_APPLICATION'],
  [0x8000_0004, 'EV_EFI_BOOT_SERVICES_DRIVER'],
  [0x8000_0005, 'EV_EFI_RUNTIME_SERVICES_DRIVER'],
  [0x8000_0006, 'EV_EFI_GPT_EVENT'],
  [0x8000_0007, 'EV_EFI_ACTION'],
  [0x8000_0008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB'],
  [0x8000_0009, 'EV_EFI_HANDOFF_TABLES'],
  [0x8000_000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2'],
  [0x8000_000b, 'EV_EFI_HANDOFF_TABLES2'],
  [0x8000_00e0, 'EV_EFI_VARIABLE_AUTHORITY'],
]);

export function eventTypeName(type: number): string {
  return names.get(type) ?? `event type 0x${type.toString(16)}`;
}
