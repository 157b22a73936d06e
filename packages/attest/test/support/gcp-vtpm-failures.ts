import { der } from '@fastness/codec/der';
import type { ErrorCode } from '@fastness/codec/errors';
import { basicConstraints, instanceInfo, instanceInfoOid, keyUsage } from '@fastness/testkit';
import { encodeSnpEndorsements } from '../../src/formats/snp/index.ts';
import type { GcpVtpmScenario } from './gcp-vtpm-forge.ts';
import { p384Keys } from './tpm-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type GcpVtpmFailure = readonly [code: ErrorCode, what: string, scenario: GcpVtpmScenario];

const info = (value?: Uint8Array): GcpVtpmScenario => ({
  chain: {
    levels: {
      leaf: {
        extensions: [
          keyUsage('digitalSignature'),
          basicConstraints({ ca: false }),
          ...(value === undefined ? [] : [{ oid: instanceInfoOid, value }]),
        ],
      },
    },
  },
});
const { value: good } = instanceInfo();
const { value: bare } = instanceInfo({ production: undefined });

export const gcpVtpmFailures: readonly GcpVtpmFailure[] = [
  ['ATTEST_EVIDENCE_MALFORMED', 'no certificate', { sent: (evidence) => ({ ...evidence, certificates: [] }) }],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'nine certificates',
    { sent: (evidence, { certificates }) => ({ ...evidence, certificates: Array(9).fill(certificates.leaf) }) },
  ],
  [
    'ATTEST_ENDORSEMENT_MALFORMED',
    'seventeen certificates',
    { endorsed: (all, { certificates }) => ({ ...all, certificates: Array(17).fill(certificates.root) }) },
  ],
  ['GCP_VTPM_INSTANCE_INFO', 'none', info()],
  ['GCP_VTPM_INSTANCE_INFO', 'no sequence', info(der.null())],
  ['GCP_VTPM_INSTANCE_INFO', 'bytes after it', info(Uint8Array.of(...good, 0))],
  ['GCP_VTPM_INSTANCE_INFO', 'a negative project', { instance: { projectNumber: -1 } }],
  ['GCP_VTPM_INSTANCE_INFO', 'a name with a line feed', { instance: { instanceName: 'a\nb' } }],
  ['GCP_VTPM_INSTANCE_INFO', 'an empty zone', { instance: { zone: '' } }],
  ['GCP_VTPM_NOT_PRODUCTION', 'a test environment', { instance: { production: false } }],
  ['GCP_VTPM_NOT_PRODUCTION', 'an environment that is not stated', info(bare)],
  ['TPM_SIGNATURE', 'another key than that of the certificate', { signer: p384Keys, quote: { hash: 'SHA-256' } }],
  ['TPM_NONCE_MISMATCH', 'for another session', { expectedReportData: new Uint8Array(32) }],
  ['GCP_VTPM_PROJECT_NOT_ALLOWED', 'of somebody else', { instance: { projectId: 'other-project' } }],
  ['GCP_VTPM_ZONE_NOT_ALLOWED', 'elsewhere', { section: { zones: ['us-forged1-a'] } }],
  ['GCP_VTPM_INSTANCE_NOT_ALLOWED', 'another', { section: { instances: { allow: ['1'] } } }],
  ['GCP_VTPM_INSTANCE_DENIED', 'this one', { section: { instances: { deny: ['9223372036854775553'] } } }],
  ['TPM_MEASUREMENT_NOT_ALLOWED', 'another image', { section: { measurements: ['00'.repeat(32)] } }],
];

/** Endorsements of another kind. */
export const strayEndorsement = encodeSnpEndorsements({});
