import { amdName, forgeAmdChain } from '@fastness/testkit';
import { flipLast, p384Keys, period, strangerKeys, type Failure } from './failure.ts';
import { after, now } from './forge.ts';

const genoa = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });

/** Signatures that do not hold, and certificates that are out of date or revoked. */
export const signatureFailures: readonly Failure[] = [
  ['SNP_ARK_SIGNATURE', 'a signature that was changed', { chain: { ark: { tamper: { signature: flipLast } } } }],
  [
    'SNP_ARK_SIGNATURE',
    'a serial number that was changed',
    {
      chain: {
        ark: {
          serial: 7,
          tamper: { afterSigning: (tbs) => tbs.map((byte, index) => (index === 11 ? byte ^ 1 : byte)) },
        },
      },
    },
  ],
  [
    'SNP_INTERMEDIATE_SIGNATURE',
    'another key under the name of the ARK',
    { chain: { intermediate: { issuer: { name: amdName('ARK-Milan'), keys: strangerKeys } } } },
  ],
  [
    'SNP_LEAF_SIGNATURE',
    'another key under the name of the ASK',
    { chain: { leaf: { issuer: { name: amdName('SEV-Milan'), keys: strangerKeys } } } },
  ],
  ['SNP_REPORT_SIGNATURE', 'another P-384 key', { report: { signWith: p384Keys } }],
  ['SNP_REPORT_SIGNATURE', 'a signature of zeros', { report: { tamper: (report) => void report.fill(0, 0x2a0) } }],

  ['SNP_ARK_VALIDITY', 'not yet', { chain: { ark: { validity: period(1, 100) } } }],
  ['SNP_ARK_VALIDITY', 'no longer', { chain: { ark: { validity: period(-100, -1) } } }],
  ['SNP_INTERMEDIATE_VALIDITY', 'not yet', { chain: { intermediate: { validity: period(1, 100) } } }],
  ['SNP_INTERMEDIATE_VALIDITY', 'no longer', { chain: { intermediate: { validity: period(-100, -1) } } }],
  ['SNP_LEAF_VALIDITY', 'not yet', { chain: { leaf: { validity: period(1, 100) } } }],
  ['SNP_LEAF_VALIDITY', 'no longer', { chain: { leaf: { validity: period(-100, -1) } } }],

  ['SNP_CRL_MISSING', 'no list', { crls: () => [] }],
  ['SNP_CRL_ISSUER', 'the list of another product', { crls: () => [genoa.crl] }],
  [
    'SNP_CRL_SIGNATURE',
    'another key under the name of the ARK',
    { chain: { crl: { issuer: { name: amdName('ARK-Milan'), keys: strangerKeys } } } },
  ],
  [
    'SNP_CRL_SIGNATURE',
    'a second list that is forged',
    {
      crls: async (chain) => [
        chain.crl,
        await chain.issueCrl({ issuer: { name: amdName('ARK-Milan'), keys: strangerKeys } }),
      ],
    },
  ],
  ['SNP_CRL_NOT_YET_VALID', 'from tomorrow', { chain: { crl: { thisUpdate: after(1) } } }],
  ['SNP_CRL_EXPIRED', 'until yesterday', { chain: { crl: { nextUpdate: after(-1), thisUpdate: after(-2) } } }],
  ['SNP_CRL_EXPIRED', 'no end', { chain: { crl: { nextUpdate: null } } }],
  ['SNP_CERTIFICATE_REVOKED', 'the ASK', { chain: { crl: { revoked: [{ serial: 0x1_0001, date: after(-2) }] } } }],
  [
    'SNP_CERTIFICATE_REVOKED',
    'the ASVK',
    { kind: 'vlek', chain: { crl: { revoked: [{ serial: 0x1_0101, date: after(-2) }] } } },
  ],
  ['SNP_CERTIFICATE_REVOKED', 'the ARK', { chain: { crl: { revoked: [{ serial: 0x1_0000, date: after(-2) }] } } }],
  [
    'SNP_CERTIFICATE_REVOKED',
    'the VCEK, whose serial is 0',
    { chain: { crl: { revoked: [{ serial: 0, date: after(-2) }] } } },
  ],
  [
    'SNP_CERTIFICATE_REVOKED',
    'on hold, from tomorrow',
    { chain: { crl: { revoked: [{ serial: 0x1_0001, date: after(1), reason: 6 }] } } },
  ],
  [
    'SNP_CERTIFICATE_REVOKED',
    'in an older list beside a clean one',
    {
      crls: async (chain) => [
        chain.crl,
        await chain.issueCrl({
          thisUpdate: after(-9),
          nextUpdate: after(-8),
          revoked: [{ serial: 0x1_0001, date: after(-9) }],
        }),
      ],
    },
  ],
];
