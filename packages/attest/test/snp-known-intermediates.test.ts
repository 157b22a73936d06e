import { toHex } from '@fastness/codec';
import { parseCertificate, webCryptoVerifier, type SignatureVerifier } from '@fastness/codec/x509';
import { keyUsage, type ForgedAmdChain } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { verifyEvidence, type AttestationVerdict, type TrustAnchors } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { after, anchorsOf, prepare, type Scenario } from './support/forge.ts';

const sha256 = async (bytes: Uint8Array) => toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.slice())));

function intermediateOf(chain: ForgedAmdChain): Uint8Array {
  const found = chain.certificates.find((der) => parseCertificate(der).subject.commonName?.startsWith('SEV-Milan'));
  if (found === undefined) throw new Error('the chain has no intermediate');
  return found;
}

/** The anchors of a chain whose root is known to have issued exactly `der`. */
async function knowing(chain: ForgedAmdChain, der: Uint8Array): Promise<TrustAnchors> {
  const [anchor] = anchorsOf(chain).snp ?? [];
  if (anchor === undefined) throw new Error('the chain has no anchor');
  const intermediates = [{ name: 'SEV-Milan', certificateSha256: await sha256(der) }];
  return { snp: [{ ...anchor, intermediates }] };
}

/** Judges evidence whose intermediate is known; says which certificates and lists were asked to be verified. */
async function judgeKnown(scenario: Scenario = {}) {
  const options = await prepare(scenario);
  const intermediate = intermediateOf(options.chain);
  const anchors = await knowing(options.chain, intermediate);
  const asked: string[] = [];
  const signatures: SignatureVerifier = async (check) => {
    asked.push(toHex(check.message));
    return webCryptoVerifier(check);
  };
  const verdict = verifyEvidence({ ...options, anchors, signatures });
  return { verdict, asked, signed: toHex(parseCertificate(intermediate).tbs) };
}

const signatureCheck = (verdict: AttestationVerdict) =>
  verdict.checks.find(({ code }) => code === 'SNP_INTERMEDIATE_SIGNATURE');

describe('an intermediate that the root is known to have issued', () => {
  it('needs no signature verified, and the result says why', async () => {
    const { verdict, asked, signed } = await judgeKnown();
    expect(signatureCheck(await verdict)).toMatchObject({
      outcome: 'passed',
      actual: 'a certificate known to be its own',
    });
    expect(asked).not.toContain(signed);
    // Report, VCEK, list, and the root, whose own certificate is not the known one here.
    expect(asked).toHaveLength(4);
  });

  it('must still be valid', async () => {
    const validity = { notBefore: after(-100), notAfter: after(-1) };
    const { verdict } = await judgeKnown({ chain: { intermediate: { validity } } });
    expect(await codeOf(verdict)).toBe('SNP_INTERMEDIATE_VALIDITY');
  });

  it('must still not be revoked', async () => {
    const { verdict } = await judgeKnown({ chain: { crl: { revoked: [{ serial: 0x1_0001, date: after(-2) }] } } });
    expect(await codeOf(verdict)).toBe('SNP_CERTIFICATE_REVOKED');
  });

  it('must still be an authority', async () => {
    const { verdict } = await judgeKnown({ chain: { intermediate: { extensions: [keyUsage('keyCertSign')] } } });
    expect(await codeOf(verdict)).toBe('SNP_INTERMEDIATE_CONSTRAINTS');
  });
});

describe('an intermediate that is not the known one', () => {
  it('is verified like any other', async () => {
    const options = await prepare();
    const anchors = await knowing(options.chain, new Uint8Array(1));
    expect(signatureCheck(await verifyEvidence({ ...options, anchors }))).toMatchObject({ actual: 'it did' });
  });

  it('is refused for one changed byte of its signature', async () => {
    const options = await prepare({
      certificates: (chain) =>
        chain.certificates.map((der) =>
          der === intermediateOf(chain) ? der.map((byte, index) => (index === der.length - 1 ? byte ^ 1 : byte)) : der,
        ),
    });
    const anchors = await knowing(options.chain, intermediateOf(options.chain));
    expect(await codeOf(verifyEvidence({ ...options, anchors }))).toBe('SNP_INTERMEDIATE_SIGNATURE');
  });

  it('gains nothing from what another root is known to have issued', async () => {
    const options = await prepare();
    const other = await prepare({ product: 'Genoa' });
    const [known] = (await knowing(other.chain, intermediateOf(options.chain))).snp ?? [];
    const [own] = options.anchors.snp ?? [];
    const anchors = { snp: [known, own].filter((anchor) => anchor !== undefined) };
    expect(new Set(anchors.snp.map(({ spkiSha256 }) => spkiSha256)).size).toBe(2);
    expect(signatureCheck(await verifyEvidence({ ...options, anchors }))).toMatchObject({ actual: 'it did' });
  });
});
