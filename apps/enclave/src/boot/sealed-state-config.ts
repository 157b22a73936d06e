import { z } from 'zod';

const path = z.string().min(1).max(4096);

/** What the enclave must not forget between its starts, and the TPM that keeps it from being put back. */
export const sealedStateSchema = z.strictObject({
  /** A file that the host keeps, and may read, lose or put back. */
  path,
  /** `tpm:hardware:/dev/tpmrm0` states that no host keeps the TPM's memory; `tpm:device:PATH` does not; `tpm:swtpm:SOCKET`. */
  tpm: z.string().regex(/^tpm:(?:hardware|device|swtpm):.{1,4000}$/u),
  /** Registers (SHA-256) that have to be as they are. Those that an enclave extends at its start are not among them. */
  pcrs: z.array(z.int().min(0).max(23)).min(1).max(24).default([0, 2, 4, 7]),
  /** Of the counter; the one after it is used too. Another than a broker's on the same TPM. */
  index: z.int().min(0x0100_0000).max(0x01ff_fffe).default(0x018f_a580),
});
export type SealedStateConfig = z.output<typeof sealedStateSchema>;
