import { randomBytes } from 'node:crypto';
import { fromBase64Url, toBase64Url, utf8Decode, utf8Encode } from '@fastness/codec';
import { z } from 'zod';
import type { PcrSelection, Tpm } from '../tpm/index.ts';
import { encryptingSeal } from './encrypting-seal.ts';
import { readingAfterOf, type RecordSeal } from './record.ts';
import { sealedSecretSchema, sealToTpm, unsealFromTpm } from './tpm-seal.ts';

const schema = z.strictObject({
  format: z.literal('fastness/tpm-sealed-record/v1'),
  key: sealedSecretSchema,
  record: z.string().max(400_000),
});

export interface TpmRecordSealOptions {
  readonly tpm: Tpm;
  /** Registers that have to be as they were when the record was written. */
  readonly selection: PcrSelection;
  /** Index of the counter that anchors the records. */
  readonly index?: number;
  readonly password?: Uint8Array;
  readonly ownerPassword?: Uint8Array;
}

/**
 * A seal for small states of an enclave: each record is encrypted with a key of its own (AES-256-GCM), which is sealed to the TPM, to
 * registers, and to the number that the counter reaches with that record. Once the counter is past it, the TPM itself does not
 * give the key any more, whatever program asks. Opening throws FRESHNESS_SEALED then. A record that was made under other registers
 * than these, as they are when it is opened, is nobody's: the TPM certifies under which it made the key (FRESHNESS_RECORD_INVALID).
 */
export function tpmRecordSeal(options: TpmRecordSealOptions): RecordSeal {
  const { tpm, selection } = options;
  const { index, password, ownerPassword } = options;
  const passwords = {
    ...(password === undefined ? {} : { password }),
    ...(ownerPassword === undefined ? {} : { ownerPassword }),
  };
  const at = index === undefined ? {} : { index };
  return {
    async protect(record) {
      const secret = new Uint8Array(randomBytes(32));
      try {
        const upTo = readingAfterOf(record);
        const key = await sealToTpm(tpm, { secret, selection, upTo, ...at, ...passwords });
        const sealed = toBase64Url(await encryptingSeal(secret).protect(record));
        return utf8Encode(JSON.stringify({ format: 'fastness/tpm-sealed-record/v1', key, record: sealed }));
      } finally {
        secret.fill(0);
      }
    },
    async open(sealed) {
      const { key, record } = schema.parse(JSON.parse(utf8Decode(sealed)));
      const secret = await unsealFromTpm(tpm, key, { ...passwords, madeUnder: selection });
      try {
        return await encryptingSeal(secret).open(fromBase64Url(record));
      } finally {
        secret.fill(0);
      }
    },
  };
}
