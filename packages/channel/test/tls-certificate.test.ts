import { X509Certificate } from 'node:crypto';
import { cmwCollectionToJson, cmwToCbor, isCmwCollection, type CmwCollection } from '@fastness/attest';
import { createTlsIdentity, type TlsIdentity } from '@fastness/channel/node/tls';
import {
  CMW_EXTENSION_OID,
  decodeEvidenceExtension,
  encodeEvidenceExtension,
  TLS_COLLECTION_TYPE,
  verifyTlsCertificate,
  type TlsPeerPolicy,
} from '@fastness/channel/tls';
import { der } from '@fastness/codec/der';
import { parseCertificate } from '@fastness/codec/x509';
import { forgeAmdChain, generateKeys, type ForgedExtension } from '@fastness/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { dressUp, forgeMachine, now, type ForgedMachine } from './support/attested.ts';
import { expectCode } from './support/errors.ts';

const hours = (count: number): Date => new Date(now.getTime() + count * 3600_000);

describe('a certificate with evidence in it', () => {
  let machine: ForgedMachine;
  let identity: TlsIdentity;
  let raw: Uint8Array;
  beforeAll(async () => {
    machine = await forgeMachine();
    identity = await machine.identity();
    ({ raw } = await identity.certificate());
  });

  const verify = (certificate: Uint8Array, change: Partial<TlsPeerPolicy> = {}, at = now) =>
    verifyTlsCertificate({ raw: certificate, peer: machine.policy(change), now: at });
  const withoutEvidence = (extensions: ForgedExtension[]) => extensions.filter(({ oid }) => oid !== CMW_EXTENSION_OID);

  it('is accepted by its evidence, and names the key that the evidence is bound to', async () => {
    const verified = await verify(raw);
    expect(verified.spki).toEqual(identity.spki);
    expect(verified.notAfter.getTime() - verified.notBefore.getTime()).toBe(86_400_000);
    expect(verified.verdict.claims.simulated).toBe(false);
  });

  it('is a certificate to other software: self-signed, no authority, one extension of RFC 9999 that is not critical', () => {
    const other = new X509Certificate(raw);
    expect(other.verify(other.publicKey)).toBe(true);
    expect(other.ca).toBe(false);
    expect(parseCertificate(raw).extensions.get('1.3.6.1.5.5.7.1.35')?.critical).toBe(false);
  });

  it('refuses a certificate without evidence', async () => {
    const bare = await dressUp(raw, { extensions: withoutEvidence });
    await expectCode(() => verify(bare.raw), 'CHANNEL_TLS_EVIDENCE_MISSING');
  });

  it('refuses evidence of a foreign maker', async () => {
    const foreign = await forgeAmdChain({
      product: 'Milan',
      kind: 'vcek',
      now,
      keys: { ark: await generateKeys('rsa-2048') },
    });
    const certificate = await (await machine.identity({ chain: foreign })).certificate();
    await expectCode(() => verify(certificate.raw), 'SNP_ARK_NOT_PINNED');
  });

  it('refuses genuine evidence around another key', async () => {
    const { raw: stolen } = await dressUp(raw, {});
    await expectCode(() => verify(stolen), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('refuses a life that the TEE did not choose, even from who has the key', async () => {
    const pkcs8 = new Uint8Array(identity.key.export({ type: 'pkcs8', format: 'der' }));
    const keys = { kind: 'p-256', spki: new Uint8Array(identity.spki), pkcs8 } as const;
    const same = await dressUp(raw, { keys });
    await verify(same.raw);
    const stretched = await dressUp(raw, { keys, notAfter: hours(30) });
    await expectCode(() => verify(stretched.raw, { maximumLifetimeSeconds: 200_000 }), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('refuses a certificate outside its time, and one for too long a time', async () => {
    await verify(raw, {}, hours(23));
    await expectCode(() => verify(raw, {}, hours(24)), 'X509_EXPIRED');
    await expectCode(() => verify(raw, {}, hours(-1)), 'X509_NOT_YET_VALID');
    await expectCode(() => verify(raw, { maximumLifetimeSeconds: 86_399 }), 'CHANNEL_TLS_LIFETIME');
  });

  it('refuses simulated evidence under a policy for hardware', async () => {
    const certificate = await (await machine.identity({ simulated: true })).certificate();
    await expectCode(() => verify(certificate.raw), 'SIMULATED_EVIDENCE_REFUSED');
  });

  it('refuses other software and another release', async () => {
    const other = await (await machine.identity({ measurement: new Uint8Array(48) })).certificate();
    await expectCode(() => verify(other.raw), 'SNP_MEASUREMENT_NOT_ALLOWED');
    await expectCode(() => verify(raw, { releaseDigest: new Uint8Array(32) }), 'SNP_REPORT_DATA_MISMATCH');
    const releasing = await machine.identity({}, { releaseDigest: new Uint8Array(32) });
    const certificate = await releasing.certificate();
    await verify(certificate.raw, { releaseDigest: new Uint8Array(32) });
  });

  it.each(['tls', 'client', 'key-release'] as const)(
    'refuses evidence that was made for the purpose %s',
    async (purpose) => {
      const certificate = await (await machine.identity({ session: { purpose } })).certificate();
      await expectCode(() => verify(certificate.raw), 'SNP_REPORT_DATA_MISMATCH');
    },
  );

  it('refuses a changed byte under the signature, and critical extensions that it does not know', async () => {
    const changed = new Uint8Array(raw);
    const at = changed.length - 4;
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expectCode(() => verify(changed), 'X509_SIGNATURE');
    const { raw: critical } = await dressUp(raw, {
      extensions: (genuine) => [...genuine, { oid: '1.2.3', critical: true, value: der.null() }],
    });
    await expectCode(() => verify(critical), 'X509_CRITICAL_EXTENSION');
  });

  it('makes a new certificate for the same key when half of its life is over', async () => {
    let time = now;
    const living = await machine.identity({}, { now: () => time, lifetimeSeconds: 3600 });
    const first = await living.certificate();
    time = new Date(now.getTime() + 10 * 60_000);
    expect(await living.certificate()).toBe(first);
    time = new Date(now.getTime() + 31 * 60_000);
    const [second, third] = await Promise.all([living.certificate(), living.certificate()]);
    expect(second).toBe(third);
    const verified = await verify(second.raw, {}, time);
    expect(verified.spki).toEqual(living.spki);
    expect(second.notAfter > first.notAfter).toBe(true);
  });

  it('refuses lives out of range and evidence that does not fit', async () => {
    await expectCode(() => machine.identity({}, { lifetimeSeconds: 59 }), 'CHANNEL_TLS_OPTION');
    const big = { type: 'application/octet-stream', value: new Uint8Array(61 * 1024) };
    const collect: TlsIdentity['collect'] = async (session) => ({
      ...(await machine.collect(session)),
      endorsements: [big],
    });
    await expectCode(() => createTlsIdentity({ collect }), 'CHANNEL_TLS_CERTIFICATE_TOO_LARGE');
    const small = await createTlsIdentity({ collect, withEndorsements: false, now: () => now });
    const { endorsements } = await machine.collect({
      purpose: 'tls',
      nonce: new Uint8Array(32),
      keyConfigDigest: new Uint8Array(32),
      releaseDigest: new Uint8Array(32),
    });
    await verify((await small.certificate()).raw, { endorsements });
  });
});

describe('the evidence extension', () => {
  const evidence = { type: 'application/a', value: Uint8Array.of(1), ind: 4 };
  const endorsement = { type: 'application/b', value: Uint8Array.of(2), ind: 2 };
  const gpu = { type: 'application/c', value: Uint8Array.of(3), ind: 4 };
  const collection: CmwCollection = {
    type: TLS_COLLECTION_TYPE,
    records: new Map([
      ['cpu0', evidence],
      ['endorsement0', endorsement],
    ]),
  };

  it('reads back what it writes, for a processor alone and with devices', () => {
    const written = { evidence, endorsements: [endorsement] };
    expect(decodeEvidenceExtension(encodeEvidenceExtension(written))).toEqual(written);
    const machine: CmwCollection = {
      records: new Map([
        ['cpu0', evidence],
        ['gpu0', gpu],
      ]),
    };
    const read = decodeEvidenceExtension(encodeEvidenceExtension({ evidence: machine, endorsements: [] }));
    expect(isCmwCollection(read.evidence) && [...read.evidence.records.keys()]).toEqual(['cpu0', 'gpu0']);
  });

  it('reads the other forms that the RFC has: one record, and JSON', () => {
    expect(decodeEvidenceExtension(der.octetString(cmwToCbor(evidence)))).toEqual({ evidence, endorsements: [] });
    const json = der.utf8String(JSON.stringify(cmwCollectionToJson(collection)));
    expect(decodeEvidenceExtension(json)).toEqual({ evidence, endorsements: [endorsement] });
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['another type', der.integer(1)],
    ['text that is no JSON', der.utf8String('{')],
    ['something behind it', new Uint8Array([...der.octetString(cmwToCbor(evidence)), 0])],
    ['endorsements alone', der.utf8String(JSON.stringify({ endorsement0: ['application/b', 'Ag', 2] }))],
    ['bytes that are no CBOR', der.octetString(Uint8Array.of(0xff))],
  ])('refuses %s', async (_, value) => {
    await expectCode(() => decodeEvidenceExtension(value), 'CHANNEL_TLS_EVIDENCE_MALFORMED');
  });
});
