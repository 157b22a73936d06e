import { FastnessError } from '@fastness/codec/errors';
import { CKF, CKR, CKU_USER, nameOfReturnValue } from './constants.ts';
import { ModuleError, printable, type Module } from './module.ts';
import type { TokenFacts } from './messages.ts';
import type { TokenMatch } from './uri.ts';

export interface FoundToken {
  readonly slot: bigint;
  readonly flags: number;
  readonly facts: TokenFacts;
}

const maxSlots = 256;

/** The one token that fits. Errors: KEYS_HSM_TOKEN when none or several do. */
export function findToken(module: Module, match: TokenMatch): FoundToken {
  const slots = slotsOf(module).map((slot) => describeToken(module, slot));
  const fitting = slots.filter((token) => token !== undefined).filter((token) => fits(token, match));
  const [token] = fitting;
  if (token === undefined) throw new FastnessError('KEYS_HSM_TOKEN', 'No token fits the URI.');
  if (fitting.length > 1) {
    throw new FastnessError('KEYS_HSM_TOKEN', `${fitting.length} tokens fit the URI; name one by its serial.`);
  }
  return token;
}

function slotsOf(module: Module): bigint[] {
  return module.within((arena) => {
    const count = arena.ulong(maxSlots);
    const list = arena.take(8 * maxSlots);
    module.call('C_GetSlotList', 1, list.address, count.address);
    const length = Math.min(Number(count.view.getBigUint64(0, true)), maxSlots);
    return Array.from({ length }, (_, index) => list.view.getBigUint64(8 * index, true));
  });
}

/** Layouts: CK_INFO, CK_SLOT_INFO and CK_TOKEN_INFO with the alignment of 64-bit Linux. */
function describeToken(module: Module, slot: bigint): FoundToken | undefined {
  try {
    return module.within((arena) => {
      const library = arena.take(88);
      module.call('C_GetInfo', library.address);
      const slotInfo = arena.take(112);
      module.call('C_GetSlotInfo', slot, slotInfo.address);
      const info = arena.take(208);
      module.call('C_GetTokenInfo', slot, info.address);
      const flags = Number(info.view.getBigUint64(96, true) & 0xffff_ffffn);
      const slotFlags = Number(slotInfo.view.getBigUint64(96, true) & 0xffff_ffffn);
      return {
        slot,
        flags,
        facts: {
          label: text(info.bytes.subarray(0, 32)),
          manufacturer: text(info.bytes.subarray(32, 64)),
          model: text(info.bytes.subarray(64, 80)),
          serial: text(info.bytes.subarray(80, 96)),
          firmware: `${info.bytes[186]}.${info.bytes[187]}`,
          slotId: slot.toString(),
          library: printable(text(library.bytes.subarray(48, 80))),
          libraryManufacturer: printable(text(library.bytes.subarray(2, 34))),
          interfaceVersion: `${library.bytes[0]}.${library.bytes[1]}`,
          hardwareSlot: (slotFlags & CKF.HW_SLOT) !== 0,
        },
      };
    });
  } catch (error) {
    // A reader without a usable token must not hide the others.
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}

/** Fixed-length fields are padded with blanks; some modules pad with zeros. */
function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[\0 ]+$/, '');
}

function fits({ slot, facts }: FoundToken, match: TokenMatch): boolean {
  return (
    (match.token === undefined || match.token === facts.label) &&
    (match.manufacturer === undefined || match.manufacturer === facts.manufacturer) &&
    (match.serial === undefined || match.serial === facts.serial) &&
    (match.model === undefined || match.model === facts.model) &&
    (match.slotId === undefined || BigInt(match.slotId) === slot)
  );
}

/**
 * Opens the session and logs in, trying the PIN once. A token that says that one more wrong PIN locks it is not tried.
 * Errors: KEYS_HSM_PIN, KEYS_HSM_PIN_LOCKED, KEYS_HSM_PIN_SOURCE.
 */
export function login(module: Module, token: FoundToken, readPin: (() => Uint8Array) | undefined): bigint {
  const { slot, flags } = token;
  if ((flags & CKF.USER_PIN_LOCKED) !== 0) throw new FastnessError('KEYS_HSM_PIN_LOCKED', 'It is locked.');
  if ((flags & CKF.USER_PIN_FINAL_TRY) !== 0) {
    throw new FastnessError('KEYS_HSM_PIN_LOCKED', 'One try is left, and it was not used.');
  }
  const session = module.within((arena) => {
    const handle = arena.ulong(0);
    module.call('C_OpenSession', slot, CKF.SERIAL_SESSION | CKF.RW_SESSION, 0, 0, handle.address);
    return handle.view.getBigUint64(0, true);
  });
  if ((flags & CKF.LOGIN_REQUIRED) === 0) return session;
  if (readPin === undefined && (flags & CKF.PROTECTED_AUTHENTICATION_PATH) === 0) {
    throw new FastnessError('KEYS_HSM_PIN_SOURCE', 'The URI has no pin-source.');
  }
  const pin = readPin?.();
  try {
    module.within((arena) => {
      if (pin === undefined) module.call('C_Login', session, CKU_USER, 0, 0);
      else module.call('C_Login', session, CKU_USER, arena.put(pin).address, pin.length);
    });
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    if (error.returned !== CKR.USER_ALREADY_LOGGED_IN) throw refusalOf(error.returned);
  } finally {
    pin?.fill(0);
  }
  return session;
}

function refusalOf(returned: number): FastnessError {
  const detail = `(${nameOfReturnValue(returned)})`;
  switch (returned) {
    case CKR.PIN_INCORRECT:
    case CKR.PIN_INVALID:
    case CKR.PIN_LEN_RANGE:
    case CKR.PIN_EXPIRED:
    case CKR.USER_PIN_NOT_INITIALIZED:
      return new FastnessError('KEYS_HSM_PIN', detail);
    case CKR.PIN_LOCKED:
      return new FastnessError('KEYS_HSM_PIN_LOCKED', detail);
    default:
      return new FastnessError('KEYS_HSM_FAILED', `C_Login ${detail}`);
  }
}
