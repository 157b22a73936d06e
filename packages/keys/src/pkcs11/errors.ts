import { FastnessError } from '@fastness/codec/errors';
import { CKR, nameOfReturnValue } from './constants.ts';
import { ModuleError } from './module.ts';

/** Answers after which the session is of no use: the child ends, and a new one logs in anew. */
const fatal: ReadonlySet<number> = new Set([
  CKR.DEVICE_REMOVED,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.TOKEN_NOT_PRESENT,
  CKR.USER_NOT_LOGGED_IN,
  CKR.CRYPTOKI_NOT_INITIALIZED,
  CKR.OPERATION_ACTIVE,
]);

export function isSessionLost(error: unknown): boolean {
  return error instanceof ModuleError && fatal.has(error.returned);
}

const unsupported: ReadonlySet<number> = new Set([
  CKR.FUNCTION_NOT_SUPPORTED,
  CKR.MECHANISM_INVALID,
  CKR.MECHANISM_PARAM_INVALID,
  CKR.ARGUMENTS_BAD,
  CKR.ATTRIBUTE_TYPE_INVALID,
  CKR.ATTRIBUTE_VALUE_INVALID,
  CKR.ATTRIBUTE_READ_ONLY,
  CKR.ACTION_PROHIBITED,
  CKR.TEMPLATE_INCOMPLETE,
  CKR.TEMPLATE_INCONSISTENT,
  CKR.KEY_SIZE_RANGE,
  CKR.KEY_TYPE_INCONSISTENT,
  CKR.KEY_FUNCTION_NOT_PERMITTED,
  CKR.DOMAIN_PARAMS_INVALID,
  CKR.CURVE_NOT_SUPPORTED,
]);

/** Whether a module says that it cannot do this, rather than that it failed. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof ModuleError && unsupported.has(error.returned);
}

/** Answers to a decryption that blame the ciphertext, or nobody in particular. */
const blamesData: ReadonlySet<number> = new Set([
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
  CKR.AEAD_DECRYPT_FAILED,
  CKR.DATA_INVALID,
  CKR.DATA_LEN_RANGE,
  CKR.GENERAL_ERROR,
  CKR.FUNCTION_FAILED,
  CKR.DEVICE_ERROR,
]);

export function mayBlameData(error: unknown): boolean {
  return error instanceof ModuleError && blamesData.has(error.returned);
}

/** A module's answer as an error of Fastness; `FastnessError`s stay as they are. */
export function asKeysError(error: unknown): FastnessError {
  if (error instanceof FastnessError) return error;
  // The text of anything else might quote data; its name is enough to look for.
  if (!(error instanceof ModuleError)) {
    return new FastnessError('KEYS_HSM_FAILED', error instanceof Error ? error.name : undefined);
  }
  const detail = `${error.call} answered ${nameOfReturnValue(error.returned)}.`;
  if (isUnsupported(error)) return new FastnessError('KEYS_HSM_UNSUPPORTED', detail);
  switch (error.returned) {
    case CKR.DEVICE_MEMORY:
    case CKR.SESSION_COUNT:
      return new FastnessError('KEYS_HSM_FULL', detail);
    case CKR.TOKEN_WRITE_PROTECTED:
    case CKR.SESSION_READ_ONLY:
      return new FastnessError('KEYS_HSM_READ_ONLY', detail);
    case CKR.TOKEN_NOT_RECOGNIZED:
    case CKR.TOKEN_NOT_PRESENT:
    case CKR.SLOT_ID_INVALID:
      return new FastnessError('KEYS_HSM_TOKEN', detail);
    default:
      return new FastnessError('KEYS_HSM_FAILED', detail);
  }
}
