import {
  ANDROID_KEY_EVIDENCE_TYPE,
  AZURE_MAA_TOKEN_TYPE,
  AZURE_VTPM_EVIDENCE_TYPE,
  evidenceFormats,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  GCP_VTPM_EVIDENCE_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  isCmwCollection,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
  SGX_QUOTE_TYPE,
  SNP_EVIDENCE_TYPE,
  TDX_EVIDENCE_TYPE,
  TDX_QUOTE_TYPE,
  TSM_REPORT_TYPE,
  type Cmw,
  type CmwCollection,
} from '@fastness/attest';
import { completeAndroid } from './plan/android.ts';
import { completeDcap } from './plan/dcap.ts';
import { completeNvidia } from './plan/nvidia.ts';
import { completeSnp } from './plan/snp.ts';
import { completeToken } from './plan/tokens.ts';
import type { Completed, CompleteOptions } from './plan/types.ts';
import { completeVtpm } from './plan/vtpm.ts';
import type { Endorsement } from './types.ts';

/** Which evidence needs endorsements from a vendor. Simulated evidence is not here: no vendor knows it. */
const planners: ReadonlyMap<string, (options: CompleteOptions) => Promise<Completed>> = new Map([
  [SNP_EVIDENCE_TYPE, completeSnp],
  [TSM_REPORT_TYPE, completeSnp],
  [TDX_QUOTE_TYPE, completeDcap],
  [TDX_EVIDENCE_TYPE, completeDcap],
  [SGX_QUOTE_TYPE, completeDcap],
  [NVIDIA_GPU_EVIDENCE_TYPE, completeNvidia],
  [NVIDIA_NVSWITCH_EVIDENCE_TYPE, completeNvidia],
  [GCP_VTPM_EVIDENCE_TYPE, completeVtpm],
  [AZURE_VTPM_EVIDENCE_TYPE, completeVtpm],
  [ANDROID_KEY_EVIDENCE_TYPE, completeAndroid],
  [AZURE_MAA_TOKEN_TYPE, completeToken],
  [INTEL_TRUST_AUTHORITY_TOKEN_TYPE, completeToken],
  [GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE, completeToken],
  [NVIDIA_NRAS_EAT_TYPE, completeToken],
]);

/** Whether `completeEndorsements` can fetch anything for evidence of this media type. */
export function needsEndorsements(evidenceType: string): boolean {
  return planners.has(evidenceType);
}

/**
 * Fetches the endorsements that evidence lacks, record by record of a collection, and returns all of them, for
 * `verifyEvidence`. Evidence that brings everything, or that needs nothing of the kind, keeps what it came with.
 *
 * Fails closed: what cannot be fetched is an error, and what was fetched is judged again by the verifier.
 *
 * Not protected against: whoever sends evidence chooses what is asked for - one chip id, one kind of platform - so that a
 * service that verifies for strangers should limit them before it comes here.
 * @throws ENDORSEMENT_..., and for evidence that cannot be read the codes of its format
 */
export async function completeEndorsements(
  options: Omit<CompleteOptions, 'evidence'> & { readonly evidence: Cmw | CmwCollection },
): Promise<Completed> {
  const { evidence } = options;
  let endorsements: Cmw[] = [...options.endorsements];
  const fetched: Endorsement[] = [];
  let status: Pick<Completed, 'androidStatus'> = {};
  for (const record of isCmwCollection(evidence) ? evidence.records.values() : [evidence]) {
    const complete = planners.get(record.type);
    if (complete === undefined) continue;
    // The endorsements of a collection are one list; each record sees those that its format reads.
    const types =
      evidenceFormats.find(({ evidenceTypes }) => evidenceTypes.includes(record.type))?.endorsementTypes ?? [];
    const own = endorsements.filter(({ type }) => types.includes(type));
    const completed = await complete({ ...options, evidence: record, endorsements: own });
    endorsements = [...endorsements.filter(({ type }) => !types.includes(type)), ...completed.endorsements];
    fetched.push(...completed.fetched);
    const { androidStatus } = completed;
    if (androidStatus !== undefined) status = { androidStatus };
  }
  return { endorsements, fetched, ...status };
}
