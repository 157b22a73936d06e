import { parseAttestationPolicy, verifyEvidence } from '@fastness/attest';
import { encodeNitroEvidence, parse } from '@fastness/attest/formats/nitro';
import { fromHex, toHex } from '@fastness/codec';
import { decodeCbor, type CborMap } from '@fastness/codec/cbor';
import { decodeSign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import { NSM_RUNTIME_PCR, nsmRuntimeRegister } from '@fastness/evidence';
import { forgeNitroChain, forgeNitroDocument } from '@fastness/testkit';
import type { Check } from './guest-run.ts';
import { nsmEvents, nsmSession } from './nsm-session.ts';

/** A hypervisor measures the image here. QEMU does in its machine for enclaves alone, so this test says it. */
const IMAGE_PCR = 0;
const IMAGE = new Uint8Array(48).fill(0xab);

/**
 * Verifies what the module said before and after its register was locked. As it is it must be refused, since nobody signed it;
 * signed by an authority of this test, the same fields must be accepted with what the guest extended, and only so.
 */
export async function verifyDocuments(told: ReadonlyMap<string, string>, nonce: Uint8Array): Promise<readonly Check[]> {
  const [before, after] = ['before', 'after'].map((name) => fromHex(told.get(name) ?? ''));
  if (before === undefined || after === undefined) throw new Error('The guest told no documents.');
  const expected = nsmRuntimeRegister(nsmEvents);
  const refusal = async (what: string, code: string, work: () => Promise<unknown>): Promise<Check> => {
    const error = await errorOf(work);
    return { check: `${what} is refused`, ok: error?.code === code, detail: `${error?.code}: ${error?.detail ?? ''}` };
  };
  const signed = async (document: Uint8Array, register = expected, image = true): Promise<string> =>
    verifySigned(payloadOf(document), { nonce, register, image });
  const fields = payloadOf(after);
  return [
    {
      check: 'what the document says',
      ok: fields.get('digest') === 'SHA384' && fields.get('nonce') === null && fields.get('public_key') === null,
      detail: [...fields.keys()].join(' '),
    },
    await refusal('the document as QEMU made it', 'NITRO_ALGORITHM', async () => parse(encodeNitroEvidence(after))),
    await refusal('signed: no register of an image', 'NITRO_PCR_MISSING', async () => signed(after, expected, false)),
    await refusal('signed: the register before it was locked', 'NITRO_PCR_MISSING', async () => signed(before)),
    await refusal('signed: another register expected', 'NITRO_PCR_NOT_ALLOWED', async () =>
      signed(after, nsmRuntimeRegister(nsmEvents.slice(1))),
    ),
    {
      check: 'signed: accepted for this session, with what was extended',
      ok: (await signed(after)) === expected,
      detail: `PCR${NSM_RUNTIME_PCR} ${expected}`,
    },
  ];
}

function payloadOf(document: Uint8Array): CborMap {
  const { payload } = decodeSign1(document);
  const fields = payload === null ? undefined : decodeCbor(payload, { keyOrder: 'any', openMaps: 'accepted' });
  if (!(fields instanceof Map)) throw new Error('The document has no payload.');
  return fields;
}

/** The fields of a document in one that verifies; only certificates, and the register of the image, are this test's own. */
async function verifySigned(
  payload: CborMap,
  { nonce, register, image }: { readonly nonce: Uint8Array; readonly register: string; readonly image: boolean },
): Promise<string> {
  const now = new Date(Number(payload.get('timestamp')));
  const moduleId = payload.get('module_id');
  if (typeof moduleId !== 'string') throw new Error('The document names no module.');
  const chain = await forgeNitroChain({ now, moduleId });
  const document = await forgeNitroDocument({
    chain,
    timestamp: now,
    fields: (fields) => {
      for (const [name, value] of payload) {
        if (typeof name === 'string' && name !== 'certificate' && name !== 'cabundle') fields.set(name, value);
      }
      const pcrs = payload.get('pcrs') as CborMap;
      if (image) fields.set('pcrs', new Map([[IMAGE_PCR, IMAGE], ...pcrs]));
    },
  });
  const { claims } = await verifyEvidence({
    evidence: encodeNitroEvidence(document),
    endorsements: [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'nsm',
      nitro: { measurements: [toHex(IMAGE)], pcrs: { [NSM_RUNTIME_PCR]: [register] } },
      waivers: [],
    }),
    anchors: {
      nitro: [
        { name: 'forged', spkiSha256: chain.rootSpkiSha256, certificateSha256: '00'.repeat(32), source: 'a test' },
      ],
    },
    session: nsmSession(nonce),
    now,
  });
  return claims.tee === 'aws-nitro' ? (claims.pcrs[NSM_RUNTIME_PCR] ?? '') : '';
}

async function errorOf(work: () => Promise<unknown>): Promise<FastnessError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof FastnessError) return error;
    throw error;
  }
}
