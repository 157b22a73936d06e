import { formatOf, isCmwCollection, type Cmw, type CmwCollection, type Tee } from '@fastness/attest';
import { eventWords, rtmrEvents, type LogEvent } from '@fastness/attest/event-log';
import { parse as parseAndroidKey } from '@fastness/attest/formats/android-key';
import { parse as parseCca } from '@fastness/attest/formats/arm-cca';
import { parse as parsePsa } from '@fastness/attest/formats/arm-psa';
import { parse as parseMaa } from '@fastness/attest/formats/azure-maa';
import { parse as parseAzureVtpm } from '@fastness/attest/formats/azure-vtpm';
import { parse as parseConfidentialSpace } from '@fastness/attest/formats/gcp-confidential-space';
import { parse as parseGcpVtpm } from '@fastness/attest/formats/gcp-vtpm';
import { parse as parseTrustAuthority } from '@fastness/attest/formats/intel-trust-authority';
import { parse as parseNitro } from '@fastness/attest/formats/nitro';
import { parse as parseNvidia } from '@fastness/attest/formats/nvidia';
import { parse as parseNras } from '@fastness/attest/formats/nvidia-nras';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { parse as parseSnp } from '@fastness/attest/formats/snp';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { parse as parseTpm } from '@fastness/attest/formats/tpm';
import { plainFacts } from './plain-facts.ts';

/** Events of a register that are shown; a boot has some thirty in RTMR0. */
const MAX_EVENTS = 30;

/** What a file says of itself. None of it is authenticated. */
export interface EvidenceDescription {
  readonly kind: string;
  readonly facts: Record<string, unknown>;
}

interface Reader {
  readonly kind: string;
  readonly parse: (evidence: Cmw) => object;
}

/** How each kind of evidence is named and read, before anything of it is verified. */
const readers: Readonly<Record<Tee, Reader>> = Object.freeze({
  'sev-snp': { kind: 'SEV-SNP attestation report', parse: (evidence) => parseSnp(evidence) },
  tdx: { kind: 'Intel TDX quote', parse: (evidence) => inWords(parseTdx(evidence)) },
  sgx: { kind: 'Intel SGX quote', parse: (evidence) => parseSgx(evidence) },
  'aws-nitro': { kind: 'AWS Nitro Enclaves attestation document', parse: (evidence) => parseNitro(evidence) },
  'aws-nitrotpm': { kind: 'AWS NitroTPM attestation document', parse: (evidence) => parseNitro(evidence) },
  'nvidia-gpu': { kind: 'NVIDIA GPU attestation report', parse: (evidence) => parseNvidia(evidence) },
  'nvidia-nvswitch': { kind: 'NVIDIA NVSwitch attestation report', parse: (evidence) => parseNvidia(evidence) },
  tpm: { kind: 'TPM 2.0 quote', parse: (evidence) => parseTpm(evidence) },
  'gcp-vtpm': { kind: 'TPM quote of a Google Cloud VM', parse: (evidence) => parseGcpVtpm(evidence) },
  'azure-vtpm': { kind: 'TPM quote of an Azure confidential VM', parse: (evidence) => parseAzureVtpm(evidence) },
  'arm-psa': { kind: 'Arm PSA token', parse: (evidence) => parsePsa(evidence) },
  'arm-cca': { kind: 'Arm CCA token', parse: (evidence) => parseCca(evidence) },
  'android-key': { kind: 'Android key attestation', parse: (evidence) => parseAndroidKey(evidence) },
  'azure-maa': { kind: 'Microsoft Azure Attestation token', parse: (evidence) => parseMaa(evidence) },
  'intel-trust-authority': { kind: 'Intel Trust Authority token', parse: (evidence) => parseTrustAuthority(evidence) },
  'gcp-confidential-space': {
    kind: 'Google Confidential Space token',
    parse: (evidence) => parseConfidentialSpace(evidence),
  },
  'nvidia-nras': { kind: 'NVIDIA NRAS detached EAT', parse: (evidence) => parseNras(evidence) },
} satisfies Record<Tee, Reader>);

/** A quote with its log, event by event; whether the log leads to the registers only a verification says. */
function inWords(parsed: ReturnType<typeof parseTdx>): object {
  const { eventLog, ...rest } = parsed;
  if (eventLog === undefined) return rest;
  const events = Object.fromEntries(
    ([0, 1, 2, 3] as const).map((index) => [`RTMR${index}`, listOf(rtmrEvents(eventLog, index))]),
  );
  return { ...rest, eventLog: { banks: eventLog.banks, ...events } };
}

function listOf(events: readonly LogEvent[]): object {
  const shown = events.slice(0, MAX_EVENTS).map((event, place) => {
    const digest = event.digests['SHA-384']?.slice(0, 16) ?? 'no SHA-384';
    return [`event ${place + 1}`, `${digest}  ${eventWords(event)}`] as const;
  });
  const more = events.length - shown.length;
  return Object.fromEntries(more > 0 ? [...shown, ['more', `${more}`]] : shown);
}

/** Says what evidence is and what it claims. Throws what the reader of its kind throws: it may be no evidence at all. */
export function describeEvidence(evidence: Cmw | CmwCollection): EvidenceDescription {
  if (isCmwCollection(evidence)) {
    const parts = [...evidence.records].map(([label, record]) => [label, describeEvidence(record)] as const);
    return { kind: 'Collection of evidence (CMW, RFC 9999)', facts: Object.fromEntries(parts) };
  }
  const { tee } = formatOf(evidence);
  const { kind, parse } = readers[tee];
  return { kind, facts: { type: evidence.type, ...plainFacts(parse(evidence)) } };
}
