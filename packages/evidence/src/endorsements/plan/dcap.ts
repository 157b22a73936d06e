import { SGX_QUOTE_TYPE, type Cmw } from '@fastness/attest';
import { encodeDcapCollateral, readPckFacts, type DcapCollateral } from '@fastness/attest/formats/dcap';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { parse as parseTdx, type ParsedQuote } from '@fastness/attest/formats/tdx';
import { encodePem, fromHex, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate, Crl } from '@fastness/codec/x509';
import { qeIdentityRequest, tcbInfoRequest, type IntelTee } from '../intel/documents.ts';
import { pckCertificateRequest, pckCertificatesOf } from '../intel/pck-certificate.ts';
import { pckCrlRequest, rootCrlRequest, type PckCa } from '../intel/lists.ts';
import type { Endorsement } from '../types.ts';
import { envelopeOf } from './dcap-envelope.ts';
import type { Completed, CompleteOptions } from './types.ts';

/** What a quote lacks: TCB info for its kind of platform, the identity of its quoting enclave, and both lists. */
export async function completeDcap(options: CompleteOptions): Promise<Completed> {
  const { evidence, endorsements, source, now, prefer = 'given', update = 'standard', signal } = options;
  const tee: IntelTee = evidence.type === SGX_QUOTE_TYPE ? 'sgx' : 'tdx';
  const parsed = tee === 'tdx' ? parseTdx(evidence, endorsements) : parseSgx(evidence, endorsements);
  const pck = parsed.certificates.length > 0 ? undefined : await fetchPck(parsed, options);
  const { leaf, ca, root } = rolesOf(pck === undefined ? parsed.certificates : pckCertificatesOf(pck.item));
  const { fmspc } = readPckFacts(leaf);

  const old = prefer === 'given' ? parsed.collateral : undefined;
  const needs = {
    tcbInfo: !isCurrentDocument(old?.tcbInfo.content, now),
    qeIdentity: !isCurrentDocument(old?.qeIdentity.content, now),
    rootCaCrl: !isCurrentList(old?.rootCaCrl, now),
    pckCrl: !isCurrentList(old?.pckCrl, now),
  };
  if (pck === undefined && !Object.values(needs).some(Boolean)) return { endorsements: [...endorsements], fetched: [] };
  const [tcbInfo, qeIdentity, pckCrl, rootCaCrl] = await Promise.all([
    needs.tcbInfo ? source.get(tcbInfoRequest({ tee, fmspc, update }), signal) : undefined,
    needs.qeIdentity ? source.get(qeIdentityRequest({ tee, update }), signal) : undefined,
    needs.pckCrl ? source.get(pckCrlRequest({ ca }), signal) : undefined,
    needs.rootCaCrl ? source.get(rootCrlRequest({ root }), signal) : undefined,
  ]);
  const collateral = merge(endorsements[0], { tcbInfo, qeIdentity, pckCrl, rootCaCrl, pck });
  return {
    endorsements: [encodeDcapCollateral(collateral)],
    fetched: [pck, tcbInfo, qeIdentity, pckCrl, rootCaCrl].filter((each): each is Endorsement => each !== undefined),
  };
}

/** A quote that names its PCK certificate by an encrypted PPID: a PCCS has it, and Intel's own service for subscribers. */
async function fetchPck(
  { reference, qeId }: Pick<ParsedQuote<unknown>, 'reference' | 'qeId'>,
  { source, signal }: CompleteOptions,
): Promise<Endorsement> {
  const { encryptedPpid, cpuSvn, pceSvn, pceId } = reference ?? {};
  if (encryptedPpid === undefined || cpuSvn === undefined || pceSvn === undefined || pceId === undefined) {
    throw new FastnessError(
      'ENDORSEMENT_EVIDENCE',
      'The quote names its PCK certificate in a way that no service answers: send the certificate with its issuer and the root as pckCertificateChain.',
    );
  }
  return source.get(
    await pckCertificateRequest({ encryptedPpid, cpuSvn: fromHex(cpuSvn), pceSvn, pceId, qeId }),
    signal,
  );
}

/** The PCK chain of the quote, by place; which of the two CAs it is decides which list is asked for. */
function rolesOf(certificates: readonly Certificate[]): { leaf: Certificate; ca: PckCa; root: Uint8Array } {
  const [leaf, issuer, root] = certificates;
  const name = issuer?.subject.commonName ?? '';
  const ca = name.endsWith('Platform CA') ? 'platform' : name.endsWith('Processor CA') ? 'processor' : undefined;
  if (leaf === undefined || root === undefined || ca === undefined) {
    throw new FastnessError(
      'ENDORSEMENT_EVIDENCE',
      'The quote does not carry a chain from a PCK certificate to a root.',
    );
  }
  return { leaf, ca, root: root.raw };
}

function isCurrentDocument(
  content: { readonly issueDate: Date; readonly nextUpdate: Date } | undefined,
  now: Date,
): boolean {
  return content !== undefined && content.issueDate <= now && now <= content.nextUpdate;
}

function isCurrentList(crl: Crl | undefined, now: Date): boolean {
  return crl?.nextUpdate !== undefined && crl.thisUpdate <= now && now <= crl.nextUpdate;
}

type Fetched = Readonly<Record<'tcbInfo' | 'qeIdentity' | 'pckCrl' | 'rootCaCrl' | 'pck', Endorsement | undefined>>;

/** A quote takes one set of collateral, so what was fetched takes the place of its parts. */
function merge(given: Cmw | undefined, fetched: Fetched): DcapCollateral {
  const old = given === undefined ? undefined : envelopeOf(given);
  const documentOf = (name: 'tcbInfo' | 'qeIdentity') => {
    const found = fetched[name];
    if (found !== undefined) return { text: utf8Decode(found.item.body), chain: pemOf(found.item.issuerChain) };
    return { text: old?.[name] ?? '', chain: old?.[`${name}IssuerChain`] ?? '' };
  };
  const [tcbInfo, qeIdentity] = [documentOf('tcbInfo'), documentOf('qeIdentity')];
  const rootCaCrl = fetched.rootCaCrl?.item.body ?? old?.rootCaCrl;
  const pckCrl = fetched.pckCrl?.item.body ?? old?.pckCrl;
  const pckCertificateChain =
    fetched.pck === undefined
      ? old?.pckCertificateChain
      : pemOf(pckCertificatesOf(fetched.pck.item).map(({ raw }) => raw));
  return {
    tcbInfo: tcbInfo.text,
    tcbInfoIssuerChain: tcbInfo.chain,
    qeIdentity: qeIdentity.text,
    qeIdentityIssuerChain: qeIdentity.chain,
    ...(rootCaCrl === undefined ? {} : { rootCaCrl }),
    ...(pckCrl === undefined ? {} : { pckCrl }),
    ...(pckCertificateChain === undefined ? {} : { pckCertificateChain }),
  };
}

function pemOf(chain: readonly Uint8Array[]): string {
  return chain.map((der) => encodePem(der, 'CERTIFICATE')).join('');
}
