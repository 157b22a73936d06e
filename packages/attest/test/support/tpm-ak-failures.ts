import type { ErrorCode } from '@fastness/codec/errors';
import {
  akExtensions,
  basicConstraints,
  crlDistributionPoint,
  forgeCrl,
  forgeGcpAkChain,
  googleName,
  instanceInfo,
  keyIdentifier,
  keyUsage,
  purposes,
  sharedKeys,
  tpmPurposes,
  type AkLevel,
  type ForgedExtension,
} from '@fastness/testkit';
import { after, p384Keys } from './tpm-forge.ts';
import type { GcpVtpmScenario } from './gcp-vtpm-forge.ts';

/** Certificates of an attestation key in which exactly one thing is wrong, and the code that must say so. */
export type AkFailure = readonly [code: ErrorCode, what: string, scenario: GcpVtpmScenario];

const stranger = await sharedKeys('a stranger', 'rsa-2048');
const rsa = { kind: 'rsa-pkcs1', hash: 'SHA-256' } as const;
const at = (level: AkLevel, change: object): GcpVtpmScenario => ({ chain: { levels: { [level]: change } } });
const extended = (level: AkLevel, ...extensions: ForgedExtension[]) => at(level, { extensions });
const period = (from: number, to: number) => ({ validity: { notBefore: after(from), notAfter: after(to) } });
const leafExtensions = [keyUsage('digitalSignature'), basicConstraints({ ca: false }), instanceInfo()];
const flipLast = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
const tampered = { tamper: { signature: flipLast } };
const unknown = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) };

export const akFailures: readonly AkFailure[] = [
  ['TPM_AK_ROOT_NOT_PINNED', 'no roots at all', { anchors: () => ({}) }],
  ['TPM_AK_ROOT_NOT_PINNED', 'another root of the same name', at('root', { keys: stranger })],
  [
    'TPM_AK_ISSUER_MISSING',
    'no intermediate',
    {
      endorsed: ({ crls }, { certificates }) => ({ crls, certificates: [certificates.root] }),
    },
  ],
  [
    'TPM_AK_ISSUER_MISSING',
    'no root',
    {
      endorsed: ({ crls }, { certificates }) => ({ crls, certificates: [certificates.intermediate] }),
    },
  ],
  ['TPM_AK_CERTIFICATE_EXTENSION', 'in the leaf', extended('leaf', ...leafExtensions, unknown)],
  [
    'TPM_AK_CERTIFICATE_EXTENSION',
    'in the intermediate',
    extended('intermediate', ...akExtensions('intermediate'), unknown),
  ],
  [
    'TPM_AK_AUTHORITY_CONSTRAINTS',
    'an intermediate that is no authority',
    extended('intermediate', keyUsage('keyCertSign'), crlDistributionPoint()),
  ],
  [
    'TPM_AK_AUTHORITY_CONSTRAINTS',
    'an intermediate that may sign lists alone',
    extended('intermediate', basicConstraints({ ca: true }), keyUsage('cRLSign'), crlDistributionPoint()),
  ],
  [
    'TPM_AK_PATH_LENGTH',
    'a root for leaves alone',
    extended('root', basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign', 'cRLSign')),
  ],
  [
    'TPM_AK_LEAF_CONSTRAINTS',
    'the certificate of an endorsement key',
    extended('leaf', keyUsage('keyEncipherment'), instanceInfo()),
  ],
  [
    'TPM_AK_LEAF_CONSTRAINTS',
    'an authority as attestation key',
    extended('leaf', keyUsage('digitalSignature'), basicConstraints({ ca: true }), instanceInfo()),
  ],
  [
    'TPM_AK_PURPOSE',
    'an attestation key for servers',
    extended('leaf', ...leafExtensions, purposes('1.3.6.1.5.5.7.3.1')),
  ],
  [
    'TPM_AK_PURPOSE',
    'an intermediate for servers',
    extended(
      'intermediate',
      basicConstraints({ ca: true }),
      keyUsage('keyCertSign'),
      purposes('1.3.6.1.5.5.7.3.1'),
      crlDistributionPoint(),
    ),
  ],
  ['TPM_AK_ROOT_SIGNATURE', 'changed', at('root', tampered)],
  ['TPM_AK_INTERMEDIATE_SIGNATURE', 'changed', at('intermediate', tampered)],
  [
    'TPM_AK_INTERMEDIATE_SIGNATURE',
    'by another key',
    at('intermediate', { issuer: { name: googleName('EK/AK CA Root'), keys: stranger } }),
  ],
  ['TPM_AK_LEAF_SIGNATURE', 'changed', at('leaf', tampered)],
  [
    'TPM_AK_LEAF_SIGNATURE',
    'by another key',
    at('leaf', { issuer: { name: googleName('EK/AK CA Intermediate'), keys: stranger } }),
  ],
  ['TPM_AK_ROOT_VALIDITY', 'over', at('root', period(-900, -1))],
  ['TPM_AK_INTERMEDIATE_VALIDITY', 'over', at('intermediate', period(-900, -1))],
  ['TPM_AK_LEAF_VALIDITY', 'over', at('leaf', period(-900, -1))],
  ['TPM_AK_LEAF_VALIDITY', 'not begun', at('leaf', period(1, 9))],
  ['TPM_AK_CRL_MISSING', 'none', { endorsed: (all) => ({ ...all, crls: [] }) }],
  ['TPM_AK_CRL_MISSING', 'one of another issuer', { chain: { crl: { issuer: { name: 'somebody', keys: stranger } } } }],
  ['TPM_AK_CRL_MISSING', 'none for a leaf that names one', extended('leaf', ...leafExtensions, crlDistributionPoint())],
  ['TPM_AK_CRL_SIGNATURE', 'changed', { chain: { crl: tampered } }],
  [
    'TPM_AK_CRL_SIGNATURE',
    'one of two is forged',
    {
      endorsed: async (all) => ({
        ...all,
        crls: [
          ...all.crls,
          await forgeCrl({
            issuer: { name: googleName('EK/AK CA Root'), keys: stranger },
            thisUpdate: after(-20),
            nextUpdate: after(20),
            signatureAlgorithm: rsa,
          }),
        ],
      }),
    },
  ],
  ['TPM_AK_CRL_NOT_YET_VALID', 'of tomorrow', { chain: { crl: { thisUpdate: after(1) } } }],
  ['TPM_AK_CRL_EXPIRED', 'of last year', { chain: { crl: { thisUpdate: after(-400), nextUpdate: after(-300) } } }],
  ['TPM_AK_CRL_EXPIRED', 'without an end', { chain: { crl: { nextUpdate: null } } }],
  ['TPM_AK_CERTIFICATE_REVOKED', 'the intermediate', { chain: { crl: { revoked: [{ serial: 2, date: after(-1) }] } } }],
];

/** Certificates that are unusual and yet genuine. */
export const akAccepted: readonly (readonly [what: string, scenario: GcpVtpmScenario])[] = [
  ['the leaf says what it is for', extended('leaf', ...leafExtensions, purposes(tpmPurposes.attestation))],
  [
    'two intermediates of one name, told apart by key identifiers',
    {
      chain: {
        levels: {
          intermediate: {
            extensions: [...akExtensions('intermediate'), keyIdentifier('subject', Uint8Array.of(1, 2))],
          },
          leaf: { extensions: [...leafExtensions, keyIdentifier('authority', Uint8Array.of(1, 2))] },
        },
      },
      endorsed: async (all) => {
        const other = await forgeGcpAkChain({
          now: after(0),
          attestationKeys: p384Keys,
          levels: {
            intermediate: {
              keys: stranger,
              extensions: [...akExtensions('intermediate'), keyIdentifier('subject', Uint8Array.of(3, 4))],
            },
          },
        });
        return { ...all, certificates: [other.certificates.intermediate, ...all.certificates] };
      },
    },
  ],
];
