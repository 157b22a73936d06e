import { fromHex } from '@fastness/codec';
import type { Cmw } from '../cmw.ts';
import type { NitroPolicy } from '../policy/nitro.ts';
import type { AttestationPolicy } from '../policy/policy.ts';
import type { Tee } from '../tees.ts';
import { parse as parseAndroidKey } from './android-key/parse.ts';
import { parse as parseArmCca } from './arm-cca/parse.ts';
import { parse as parseArmPsa } from './arm-psa/parse.ts';
import { parse as parseAzureVtpm } from './azure-vtpm/parse.ts';
import { parse as parseGcpVtpm } from './gcp-vtpm/parse.ts';
import { parse as parseNitro } from './nitro/parse.ts';
import { parse as parseNvidia } from './nvidia/parse.ts';
import { parse as parseSgx } from './sgx/parse.ts';
import { parse as parseSnp } from './snp/parse.ts';
import { parse as parseTdx } from './tdx/parse.ts';
import { parse as parseTpm } from './tpm/parse.ts';
import { boundInConfidentialSpace, boundInNras } from './token/bound.ts';

type ReadBound = (evidence: Cmw, policy: AttestationPolicy) => Uint8Array | undefined;

/** Kinds of evidence whose binding can be read; others cannot be verified without their challenge. */
const readers: ReadonlyMap<string, ReadBound> = new Map<Tee, ReadBound>([
  ['sev-snp', (evidence) => fromHex(parseSnp(evidence).report.reportData)],
  ['tdx', (evidence) => fromHex(parseTdx(evidence, []).body.reportData)],
  ['sgx', (evidence) => fromHex(parseSgx(evidence, []).body.reportData)],
  ['aws-nitro', (evidence, { nitro }) => boundInDocument(evidence, nitro)],
  ['aws-nitrotpm', (evidence, { nitroTpm }) => boundInDocument(evidence, nitroTpm)],
  ['nvidia-gpu', (evidence) => parseNvidia(evidence).report.nonce],
  ['nvidia-nvswitch', (evidence) => parseNvidia(evidence).report.nonce],
  ['android-key', (evidence) => parseAndroidKey(evidence).description.challenge],
  ['tpm', (evidence) => fromHex(parseTpm(evidence).quote.extraData)],
  ['gcp-vtpm', (evidence) => fromHex(parseGcpVtpm(evidence).quote.extraData)],
  ['azure-vtpm', (evidence) => fromHex(parseAzureVtpm(evidence).quote.extraData)],
  [
    'gcp-confidential-space',
    (evidence, { gcpConfidentialSpace }) => boundInConfidentialSpace(evidence, gcpConfidentialSpace?.nonceEncoding),
  ],
  ['nvidia-nras', (evidence) => boundInNras(evidence)],
  ['arm-psa', (evidence) => parseArmPsa(evidence).token.nonce],
  ['arm-cca', (evidence) => parseArmCca(evidence).realm.challenge],
]);

/** What evidence says it is bound to; read, not authenticated. Undefined: nothing, or it cannot be said. */
export function boundDataOf(tee: Tee, evidence: Cmw, policy: AttestationPolicy): Uint8Array | undefined {
  return readers.get(tee)?.(evidence, policy);
}

function boundInDocument(evidence: Cmw, policy: NitroPolicy | undefined): Uint8Array | undefined {
  const { document } = parseNitro(evidence);
  return policy?.binding === 'nonce' ? document.nonce : document.userData;
}
