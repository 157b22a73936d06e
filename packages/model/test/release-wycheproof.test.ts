import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { importVerifyKey, signatureFits } from '../src/release/verify-key.ts';
import { omsVectors } from './release-support.ts';

const schema = z.object({
  testGroups: z.array(
    z.object({
      publicKeyDer: z.string(),
      tests: z.array(z.object({ tcId: z.number(), msg: z.string(), sig: z.string(), result: z.string() })),
    }),
  ),
});

describe.each([
  ['P-256', 'ecdsa_secp256r1_sha256_test.json'],
  ['P-384', 'ecdsa_secp384r1_sha384_test.json'],
] as const)('ECDSA %s by Wycheproof (skipped where the vectors are not installed)', (algorithm, file) => {
  const path = join(omsVectors, '../wycheproof', file);
  it.skipIf(!existsSync(path))('accepts what is valid and nothing else', async () => {
    const { testGroups } = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    let cases = 0;
    for (const { publicKeyDer, tests } of testGroups) {
      const key = await importVerifyKey(fromHex(publicKeyDer), [algorithm]);
      for (const { tcId, msg, sig, result } of tests) {
        expect(`${tcId} ${await signatureFits(key, fromHex(sig), fromHex(msg))}`).toBe(`${tcId} ${result === 'valid'}`);
        cases += 1;
      }
    }
    expect(cases).toBeGreaterThan(400);
  });
});
