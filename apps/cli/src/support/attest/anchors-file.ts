import { snpProductNames, vendorAnchors, type TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { readText } from '../home.ts';
import type { Output } from '../output.ts';
import { readStrictText } from './strict-text.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in lower-case hex');
const anchor = {
  name: z.string().min(1).max(256),
  spkiSha256: sha256,
  certificateSha256: sha256,
  source: z.string().min(1).max(1024),
};
const roots = z.array(z.strictObject(anchor)).max(64).exactOptional();
const tokenTees = ['azure-maa', 'intel-trust-authority', 'gcp-confidential-space', 'nvidia-nras'] as const;
const anchorsSchema = z.strictObject({
  snp: z
    .array(z.strictObject({ ...anchor, product: z.enum(snpProductNames) }))
    .max(64)
    .exactOptional(),
  intel: roots,
  nitro: roots,
  nvidiaDevices: roots,
  nvidiaRims: roots,
  gcpVtpm: roots,
  azureVtpm: roots,
  androidKey: z.strictObject({ roots: z.array(z.strictObject(anchor)).max(64) }).exactOptional(),
  tokens: z
    .array(
      z.strictObject({
        ...anchor,
        certificateSha256: sha256.exactOptional(),
        tee: z.enum(tokenTees),
        kind: z.enum(['authority', 'key']),
      }),
    )
    .max(64)
    .exactOptional(),
});

/** The roots that count: the vendors', as this program pins them, or those of a file. Throws CLI_USAGE, CLI_POLICY_SYNTAX. */
export async function loadAnchors(path: string | undefined): Promise<TrustAnchors> {
  if (path === undefined) return vendorAnchors;
  const parsed = anchorsSchema.safeParse(readStrictText(await readText(path), path));
  if (parsed.success) return parsed.data;
  throw new FastnessError('CLI_USAGE', `${path} holds no roots: ${z.prettifyError(parsed.error)}`);
}

/** Says so when a verdict rests on other roots than the vendors'. */
export function warnOfAnchors(output: Output, path: string | undefined): void {
  if (path !== undefined)
    output.warn(`The roots that count came from ${path}, not from the vendors as this program pins them.`);
}
