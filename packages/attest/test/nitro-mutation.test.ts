import { describe, expect, it } from 'vitest';
import { awsAnchors, parseAttestationPolicy, verifyEvidence } from '../src/index.ts';
import { encodeNitroEvidence, parse } from '../src/formats/nitro/index.ts';
import { toHex } from '@fastness/codec';
import { codeOf } from './support/errors.ts';
import { prepareNitro } from './support/nitro-forge.ts';
import { nitroVectors } from './support/nitro-vectors.ts';
import { scramble } from './support/scramble.ts';
import { vectorsPresent } from './support/vectors.ts';

/** A copy with one bit changed; the bit moves with the position, so that all eight are sampled. */
function flip(bytes: Uint8Array, position: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[position] = (flipped[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
  return flipped;
}

/** By code. Anything thrown that is not a FastnessError fails the test. */
async function outcomes(
  length: number,
  step: number,
  attempt: (position: number) => Promise<unknown>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let position = 0; position < length; position += step) {
    const code = await codeOf(attempt(position));
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

describe('a scrambled Nitro document', () => {
  it('is read or refused, and never crashes the reader', async () => {
    const { evidence } = await prepareNitro({ document: { nonce: new Uint8Array(32), publicKey: new Uint8Array(91) } });
    const codes = new Set<string>();
    for (let seed = 0; seed < 4000; seed += 1) {
      const value = scramble(evidence.value, seed);
      codes.add(await codeOf(() => parse({ ...evidence, value })));
    }
    expect(codes.size).toBeGreaterThan(8);
  });
});

describe('a changed bit in a Nitro document', () => {
  it.each([false, true])('is refused wherever it is (tagged: %s)', { timeout: 120_000 }, async (tagged) => {
    const options = await prepareNitro({ document: { tagged } });
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, tagged ? 7 : 2, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('NITRO_DOCUMENT_SIGNATURE')).toBeGreaterThan(50);
  });

  const accepted = nitroVectors.filter(({ verdict }) => verdict === 'accept');
  it.skipIf(!vectorsPresent).each(accepted)('is refused in $name', { timeout: 120_000 }, async (vector) => {
    const value = vector.document();
    const { document } = parse(encodeNitroEvidence(value, vector.tee));
    const [tpm, nonce] = [vector.tee === 'aws-nitrotpm', document.nonce];
    const options = {
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        [tpm ? 'nitroTpm' : 'nitro']: {
          measurements: [toHex(document.pcrs.get(tpm ? 4 : 0) ?? new Uint8Array())],
          binding: nonce === undefined ? 'user-data' : 'nonce',
          maxAgeSeconds: 10_800,
        },
        waivers: [],
      }),
      anchors: awsAnchors,
      expectedReportData: nonce ?? document.userData ?? new Uint8Array(),
      now: new Date(vector.at),
    };
    const attempt = async (bytes: Uint8Array) =>
      verifyEvidence({ ...options, evidence: encodeNitroEvidence(bytes, vector.tee) });
    expect(await codeOf(attempt(value))).toBe('accepted');
    const codes = await outcomes(value.length, 9, async (position) => attempt(flip(value, position)));
    expect(codes.get('accepted')).toBeUndefined();
  });

  it('or a document cut short is refused', async () => {
    const options = await prepareNitro();
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, 37, async (length) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: evidence.value.subarray(0, length) } }),
    );
    expect([...codes.keys()]).toEqual(['CODEC_TRUNCATED']);
  });
});
