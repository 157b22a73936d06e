import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** TPM_RC of warnings after which the same command may be sent again: NV_RATE, RETRY, YIELDED. */
const again: ReadonlySet<number> = new Set([0x920, 0x922, 0x908]);

/** TPM_RC_INITIALIZE: before TPM2_Startup, or an answer to a second one. */
const RC_INITIALIZE = 0x100;

/** Codes of format zero (part 2, section 6.6.3): errors of the whole command, and warnings from 0x900. */
const whole: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [RC_INITIALIZE, 'TPM_DEVICE_NOT_STARTED'],
  [0x101, 'TPM_DEVICE_FAILURE'],
  [0x126, 'TPM_DEVICE_POLICY'],
  [0x128, 'TPM_DEVICE_POLICY'],
  [0x12f, 'TPM_DEVICE_AUTH'],
  [0x143, 'TPM_DEVICE_UNSUPPORTED'],
  [0x146, 'TPM_DEVICE_NV_ACCESS'],
  [0x148, 'TPM_DEVICE_NV_ACCESS'],
  [0x149, 'TPM_DEVICE_NV_ACCESS'],
  [0x14a, 'TPM_DEVICE_NV_UNWRITTEN'],
  [0x14b, 'TPM_DEVICE_NV_SPACE'],
  [0x14c, 'TPM_DEVICE_NV_DEFINED'],
  [0x901, 'TPM_DEVICE_FULL'],
  [0x902, 'TPM_DEVICE_FULL'],
  [0x903, 'TPM_DEVICE_FULL'],
  [0x904, 'TPM_DEVICE_FULL'],
  [0x905, 'TPM_DEVICE_FULL'],
  [0x906, 'TPM_DEVICE_FULL'],
  [0x908, 'TPM_DEVICE_BUSY'],
  [0x920, 'TPM_DEVICE_BUSY'],
  [0x921, 'TPM_DEVICE_LOCKOUT'],
  [0x922, 'TPM_DEVICE_BUSY'],
]);

/** Codes of format one, which carry the number of a handle, session or parameter. */
const located: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [0x02, 'TPM_DEVICE_NV_ACCESS'],
  [0x03, 'TPM_DEVICE_UNSUPPORTED'],
  [0x0b, 'TPM_DEVICE_HANDLE'],
  [0x0e, 'TPM_DEVICE_AUTH'],
  [0x1d, 'TPM_DEVICE_POLICY'],
  [0x22, 'TPM_DEVICE_AUTH'],
  [0x23, 'TPM_DEVICE_POLICY'],
]);

/** Whether the TPM asks for the same command again. */
export function asksForRetry(code: number): boolean {
  return again.has(code);
}

/** The error for a response code that is not success, with the command and the place that the TPM objects to. */
export function refusal(command: string, code: number): FastnessError {
  const number = `0x${code.toString(16).padStart(3, '0')}`;
  if ((code & 0x80) === 0) {
    return new FastnessError(whole.get(code) ?? 'TPM_DEVICE_REFUSED', `${command}: ${number}.`);
  }
  const position = (code >> 8) & 0xf;
  const place =
    (code & 0x40) !== 0
      ? `parameter ${position}`
      : position >= 8
        ? `session ${position - 8}`
        : position > 0
          ? `handle ${position}`
          : 'nothing in particular';
  return new FastnessError(located.get(code & 0x3f) ?? 'TPM_DEVICE_REFUSED', `${command}: ${number}, ${place}.`);
}

/** Whether an error is the TPM's statement that there is no such object or index. */
export function isMissing(error: unknown): boolean {
  return error instanceof FastnessError && error.code === 'TPM_DEVICE_HANDLE';
}
