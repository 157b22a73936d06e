import { FastnessError } from '@fastness/codec/errors';

export const maxPlaintextBytes = 4096;
const maxContextBytes = 4096;

/** What may be wrapped, in every store. Errors: KEYS_SIZE. */
export function checkPlaintext(plaintext: Uint8Array): void {
  check('The key to wrap', plaintext, maxPlaintextBytes);
}

/** What it may be bound to, in every store. Errors: KEYS_SIZE. */
export function checkContext(context: Uint8Array): void {
  check('The context', context, maxContextBytes);
}

function check(what: string, { length }: Uint8Array, limit: number): void {
  if (length < 1 || length > limit) throw new FastnessError('KEYS_SIZE', `${what} has ${length} bytes.`);
}
