import type { SnpProductName } from '@fastness/attest';
import { encodeSnpEndorsements, parse, type ParsedReport } from '@fastness/attest/formats/snp';
import { FastnessError } from '@fastness/codec/errors';
import { amdChainRequest, certificatesOf, vcekRequest, type AmdKeyKind } from '../amd/certificates.ts';
import { amdCrlRequest } from '../amd/lists.ts';
import { hwidOf, isSnpProduct, productOfCpuid } from '../amd/products.ts';
import { thimChainRequest, thimVcekRequest } from '../amd/azure-thim.ts';
import { includesBytes } from '../judge.ts';
import type { Endorsement } from '../types.ts';
import type { Completed, CompleteOptions } from './types.ts';

const kinds: Readonly<Record<number, AmdKeyKind>> = Object.freeze({ 0: 'vcek', 1: 'vlek' });
const leafNames: Readonly<Record<AmdKeyKind, string>> = Object.freeze({ vcek: 'SEV-VCEK', vlek: 'SEV-VLEK' });

/**
 * What a report lacks: the VCEK of its chip and TCB, the two certificates above, and a revocation list that is current. A
 * VLEK is the provider's to send: AMD's service hands it to nobody else.
 */
export async function completeSnp(options: CompleteOptions): Promise<Completed> {
  const { evidence, endorsements, source, now, prefer = 'given', amdFrom, signal } = options;
  const parsed = parse(evidence, endorsements);
  const kind = kinds[parsed.report.signingKey];
  // Nothing can vouch for such a report; the verifier says so.
  if (kind === undefined) return { endorsements: [...endorsements], fetched: [] };
  const given = whatIsGiven(parsed, kind, now, prefer);
  if (given.leaf && given.issuers && given.crl) return { endorsements: [...endorsements], fetched: [] };
  const product = await productOf(options, parsed, kind);

  const atAzure = amdFrom === 'azure-thim' && kind === 'vcek';
  const chain = await source.get(atAzure ? thimChainRequest({ product }) : amdChainRequest({ kind, product }), signal);
  const issuers = certificatesOf(chain.item.body);
  const [leaf, list] = await Promise.all([
    given.leaf || kind === 'vlek' ? undefined : getVcek(options, parsed, product, issuers),
    given.crl ? undefined : source.get(amdCrlRequest({ kind, product, chain: issuers }), signal),
  ]);
  const present = parsed.certificates.map(({ raw }) => raw);
  const certificates = [...(leaf === undefined ? [] : [leaf.item.body]), ...(given.issuers ? [] : issuers)].filter(
    (der) => !includesBytes(present, der),
  );
  const added = encodeSnpEndorsements({ certificates, crls: list === undefined ? [] : [list.item.body] });
  return {
    endorsements: [...endorsements, added],
    fetched: [chain, leaf, list].filter((each): each is Endorsement => each !== undefined),
  };
}

function whatIsGiven(parsed: ParsedReport, kind: AmdKeyKind, now: Date, prefer: 'given' | 'fetched') {
  const named = (name: string | undefined) => parsed.certificates.filter(({ subject }) => subject.commonName === name);
  const [leaf] = named(leafNames[kind]);
  const intermediate = leaf === undefined ? undefined : named(leaf.issuer.commonName)[0];
  const root = intermediate === undefined ? undefined : named(intermediate.issuer.commonName)[0];
  const current = parsed.crls.some(
    ({ thisUpdate, nextUpdate }) => thisUpdate <= now && nextUpdate !== undefined && now <= nextUpdate,
  );
  return { leaf: leaf !== undefined, issuers: root !== undefined, crl: current && prefer === 'given' };
}

/**
 * Which of AMD's products the report is of: by its CPUID; by the leaf that came along; by what the caller allows. All of it
 * only decides what is asked for: an answer for another product does not verify.
 */
async function productOf(options: CompleteOptions, parsed: ParsedReport, kind: AmdKeyKind): Promise<SnpProductName> {
  const { cpuid } = parsed.report;
  const byCpuid = cpuid === undefined ? undefined : productOfCpuid(cpuid);
  if (byCpuid !== undefined) return byCpuid;
  const issuer = parsed.certificates.find(({ subject }) => subject.commonName === leafNames[kind])?.issuer.commonName;
  const byIssuer = (issuer ?? '').replace(/^SEV-(?:VLEK-)?/, '');
  if (isSnpProduct(byIssuer)) return byIssuer;
  const { products = [] } = options;
  const [only, another] = products;
  if (only !== undefined && another === undefined) return only;
  return byAsking(options, parsed, kind, products);
}

/** Reports before version 3 name no product. AMD's service knows a chip under its own product only. */
async function byAsking(
  options: CompleteOptions,
  parsed: ParsedReport,
  kind: AmdKeyKind,
  products: readonly SnpProductName[],
): Promise<SnpProductName> {
  for (const product of kind === 'vcek' ? products : []) {
    const chain = await options.source.get(amdChainRequest({ kind, product }), options.signal);
    try {
      await getVcek(options, parsed, product, certificatesOf(chain.item.body));
      return product;
    } catch (error) {
      if (!(error instanceof FastnessError) || !['ENDORSEMENT_NOT_FOUND', 'ENDORSEMENT_MISMATCH'].includes(error.code))
        throw error;
    }
  }
  throw new FastnessError(
    'ENDORSEMENT_EVIDENCE',
    `A version ${parsed.report.version} report does not name its product; name it, or the products to try.`,
  );
}

async function getVcek(
  { source, amdFrom, signal }: CompleteOptions,
  { report }: ParsedReport,
  product: SnpProductName,
  chain: readonly Uint8Array[],
): Promise<Endorsement> {
  if (report.chipKeyMasked)
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'The chip key is masked: no VCEK signs here.');
  const hwid = hwidOf(product, report.chipId);
  const asked = { product, hwid, tcb: report.tcb.reported };
  return source.get(amdFrom === 'azure-thim' ? thimVcekRequest(asked) : vcekRequest({ ...asked, chain }), signal);
}
