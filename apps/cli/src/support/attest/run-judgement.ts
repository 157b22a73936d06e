import { readFileSync } from 'node:fs';
import type { TrustAnchors } from '@fastness/attest';
import { createClient, parseClientPolicy } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { loadAnchors } from './anchors-file.ts';
import { completeFor, notRefreshedOf, type SourceOptions } from '../endorsements.ts';
import { bindingOf, policyPathOf, timeOf, type BindingOptions } from './arguments.ts';
import { loadEndorsements } from './endorsement-files.ts';
import { loadEvidence } from './evidence-file.ts';
import { accepted, judge, refused, type Judgement } from './judge.ts';
import { loadPolicy } from './policy-file.ts';

/** What `attest verify` and `policy explain` have in common. */
export interface JudgementOptions extends BindingOptions, SourceOptions {
  readonly policy?: string;
  readonly at?: string;
  readonly format?: string;
  readonly endorsements?: readonly string[];
  readonly anchors?: string;
}

/**
 * Verifies a file, or the enclave at an address. Arguments, files and policies that cannot be read are thrown; a refusal of
 * the evidence is part of the judgement.
 */
export async function runJudgement(target: string, options: JudgementOptions, signal: AbortSignal): Promise<Judgement> {
  const policyPath = policyPathOf(options.policy);
  const at = timeOf(options.at);
  if (/^https?:\/\//.test(target)) return judgeEnclave(target, options, { policyPath, at, signal });
  const binding = bindingOf(options, (path) => readSession(path));
  const { policy } = await loadPolicy(policyPath, at);
  const anchors = await loadAnchors(options.anchors);
  const anchorsFile = options.anchors === undefined ? {} : { anchorsFile: options.anchors };
  const gathered = await gather(target, options, { anchors, at, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    // A wrong option is the caller's; what is wrong with the evidence is a result, and reports show it.
    if (!(error instanceof FastnessError) || error.class === 'usage') throw error;
    return error;
  });
  if (gathered instanceof FastnessError)
    return { target, at, policyId: policy.id, binding: binding.kind, ...anchorsFile, ...refused(gathered) };
  const { evidence, completed } = gathered;
  const { androidStatus: status } = completed;
  const judgement = await judge({
    target,
    evidence: { evidence, endorsements: completed.endorsements },
    policy,
    anchors:
      status === undefined || anchors.androidKey === undefined
        ? anchors
        : { ...anchors, androidKey: { ...anchors.androidKey, status } },
    ...anchorsFile,
    binding,
    at,
  });
  const notRefreshed = notRefreshedOf(completed);
  return notRefreshed.length === 0 ? judgement : { ...judgement, notRefreshed };
}

/** The evidence, with the endorsements that came with it, were given, or were fetched. */
async function gather(
  target: string,
  options: JudgementOptions,
  { anchors, at, signal }: { readonly anchors: TrustAnchors; readonly at: Date; readonly signal: AbortSignal },
) {
  const { evidence, endorsements } = await loadEvidence(target, options.format ?? 'auto');
  const brought = await loadEndorsements(options.endorsements ?? [], evidence);
  const completed = await completeFor(evidence, [...endorsements, ...brought], options, { anchors, at, signal });
  return { evidence, completed };
}

/** The same checks as `fastness verify`: nonce, keys, release, approvals, evidence. */
async function judgeEnclave(
  url: string,
  options: JudgementOptions,
  { policyPath, at, signal }: { readonly policyPath: string; readonly at: Date; readonly signal: AbortSignal },
): Promise<Judgement> {
  if ([options.nonce, options.reportData, options.session, options.withoutNonce].some((option) => option !== undefined))
    throw new FastnessError('CLI_USAGE', 'An enclave is asked with a fresh nonce; give none.');
  if ((options.endorsements ?? []).length > 0 || (options.format ?? 'auto') !== 'auto')
    throw new FastnessError(
      'CLI_USAGE',
      'An enclave sends its endorsements itself; --endorsements and --format are for files.',
    );
  const { document, kind, policy } = await loadPolicy(policyPath, at);
  if (kind === 'attestation') {
    throw new FastnessError(
      'CLI_USAGE',
      `${policyPath} says nothing about releases: an enclave is verified under the policy of a client (ownerKeys, quorum, attestation).`,
    );
  }
  const anchors = await loadAnchors(options.anchors);
  const client = createClient({
    url,
    policy: parseClientPolicy(document),
    anchors,
    now: () => at,
    completeEndorsements: async (evidence, endorsements, within) =>
      (await completeFor(evidence, endorsements, options, { anchors, at, signal: within, prefer: 'fetched' }))
        .endorsements,
  });
  const common = {
    target: url,
    at,
    policyId: policy.id,
    binding: 'fresh nonce' as const,
    ...(options.anchors === undefined ? {} : { anchorsFile: options.anchors }),
  };
  try {
    const { verdict, checks } = await client.verify({ signal });
    return { ...common, ...accepted({ ...verdict, checks }) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FastnessError)) throw error;
    return { ...common, ...refused(error) };
  }
}

function readSession(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}
