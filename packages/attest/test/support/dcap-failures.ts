import { encodePem } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  basicConstraints,
  enclaveBody,
  forgeCollateral,
  forgedLevel,
  forgedModule,
  forgedPlatform,
  forgeIntelChain,
  generateKeys,
  intelName,
  keyUsage,
  pckExtension,
  pckReference,
  type ForgedCollateral,
  type ForgedIntelChain,
  type ForgedPlatform,
} from '@fastness/testkit';
import type { DcapCollateral } from '../../src/formats/tdx/index.ts';
import { after, now, reportData, type DcapScenario } from './dcap-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type DcapFailure = readonly [code: ErrorCode, what: string, scenario: DcapScenario];

const stranger = await generateKeys('p-256');
const strangersChain = await forgeIntelChain({ now, root: { keys: stranger } });
const other = (bytes: number) => new Uint8Array(bytes).fill(0xee);
const otherHex = (bytes: number) => 'ee'.repeat(bytes);
const window = (from: number, to: number) => ({
  issueDate: after(from).toISOString().replace('.000Z', 'Z'),
  nextUpdate: after(to).toISOString().replace('.000Z', 'Z'),
});
const validity = { notBefore: after(-30), notAfter: after(-1) };
const authority = [keyUsage('keyCertSign', 'cRLSign'), basicConstraints({ ca: true })];
const revoked = (serial: number) => ({ revoked: [{ serial, date: after(-2) }] });
const without = (name: 'rootCaCrl' | 'pckCrl') => (collateral: ForgedCollateral) => {
  const rest: Partial<ForgedCollateral> & DcapCollateral = { ...collateral };
  Reflect.deleteProperty(rest, name);
  return rest;
};
const lastByte = (bytes: Uint8Array) => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));

/** The chain of the quote, or its first certificates, as collateral hands it in. */
const handedIn = (all: ForgedCollateral, { certificates }: ForgedIntelChain, count = 3): DcapCollateral => ({
  ...all,
  pckCertificateChain: certificates
    .slice(0, count)
    .map((certificate) => encodePem(certificate, 'CERTIFICATE'))
    .join(''),
});

/** A quote that names its PCK certificate, changed as told, with the certificate handed in. */
const naming = (changes: Partial<ForgedPlatform>, certificationType = 1): DcapScenario => ({
  quote: {
    certificationType,
    certification: pckReference({ ...forgedPlatform, ...changes }, certificationType),
  },
  sent: (all, chain) => handedIn(all, chain),
});

/** Members that make forged TCB info one of version 2: no id, numbered components. */
const version2 = {
  id: undefined,
  version: 2,
  tcbLevels: [
    {
      tcb: {
        ...Object.fromEntries(
          forgedPlatform.components.map((svn, index) => [`sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`, svn]),
        ),
        pcesvn: forgedPlatform.pceSvn,
      },
      tcbDate: '2026-01-14T00:00:00Z',
      tcbStatus: 'UpToDate',
    },
  ],
};

const quoteFailures: readonly DcapFailure[] = [
  ['DCAP_QUOTE_VERSION', 'an SGX version', { version: 3 }],
  ['DCAP_QUOTE_VERSION', 'a TDX version', { kind: 'sgx', version: 4 }],
  ['DCAP_KEY_TYPE', 'P-384', { quote: { keyType: 3 } }],
  ['DCAP_TEE_TYPE', 'SGX', { quote: { teeType: 0 } }],
  ['DCAP_TEE_TYPE', 'TDX', { kind: 'sgx', quote: { teeType: 0x81 } }],
  ['DCAP_QE_VENDOR', 'another vendor', { quote: { qeVendor: otherHex(16) } }],
  ['DCAP_BODY_TYPE', 'an enclave', { kind: 'td-1.5', quote: { body: enclaveBody({ reportData }), bodyType: 1 } }],
  ['DCAP_BODY_TYPE', 'another size', { kind: 'td-1.5', quote: { bodyType: 2 } }],
  ['DCAP_QUOTE_TRAILING', 'a byte', { quote: { trailing: Uint8Array.of(0, 0, 1) } }],
  ['DCAP_QUOTE_MALFORMED', 'a huge buffer', { quote: { trailing: new Uint8Array(65_536) } }],
  ['DCAP_QUOTE_MALFORMED', 'no certificates', { quote: { certificates: [] } }],
  ['DCAP_CERTIFICATION_TYPE', 'a platform manifest', { quote: { certificationType: 7 } }],
  ['DCAP_CERTIFICATION_TYPE', 'a certificate without its chain', { quote: { certificationType: 4 } }],
  ['DCAP_PCK_MISSING', 'named and not handed in', { quote: { certificationType: 1 } }],
  ['DCAP_PCK_MISSING', 'named by an encrypted PPID and not handed in', { quote: { certificationType: 3 } }],
  ...[1, 2, 3].map((certificationType): DcapFailure => [
    'DCAP_QUOTE_MALFORMED',
    `certification data of type ${certificationType}, one byte short`,
    { quote: { certificationType, certification: pckReference(forgedPlatform, certificationType).subarray(1) } },
  ]),
  ['DCAP_PCK_CHAIN', 'handed in without the root', { sent: (all, chain) => handedIn(all, chain, 2) }],
  ['DCAP_PCK_PPID_MISMATCH', 'another platform', naming({ ppid: otherHex(16) })],
  ['DCAP_PCK_TCB_MISMATCH', 'another CPUSVN', naming({ components: [...other(16)] })],
  ['DCAP_PCK_TCB_MISMATCH', 'another PCE version', naming({ pceSvn: 12 })],
  ['DCAP_PCK_TCB_MISMATCH', 'another PCE', naming({ pceId: otherHex(2) })],
  ['DCAP_PCK_TCB_MISMATCH', 'another PCE version, PPID encrypted', naming({ pceSvn: 12 }, 3)],
  [
    'DCAP_QE_REPORT_SIGNATURE',
    'the certificate of another key handed in',
    { ...naming({}), quoteOf: () => ({ signQeReportWith: stranger }) },
  ],
  ['CODEC_TRUNCATED', 'cut short', { editQuote: (quote) => quote.subarray(0, -1) }],
  ['DCAP_PCK_CHAIN', 'no root', { quoteOf: ({ certificates }) => ({ certificates: certificates.slice(0, 2) }) }],
  ['DCAP_ROOT_NOT_PINNED', 'no pins', { anchors: {} }],
  ['DCAP_ROOT_NOT_PINNED', 'the right name, another key', { quote: { certificates: strangersChain.certificates } }],
  ['DCAP_PCK_ISSUER', 'another leaf', { chain: { pck: { subject: intelName('Intel SGX TCB Signing') } } }],
  [
    'DCAP_PCK_ISSUER',
    'issued by the root',
    { quoteOf: ({ certificates: [pck, , root] }) => ({ certificates: [pck, root, root] }) },
  ],
  ['DCAP_PCK_IS_CA', 'an authority', { chain: { pck: { extensions: [...authority, pckExtension(forgedPlatform)] } } }],
  ['DCAP_ROOT_SIGNATURE', 'changed', { chain: { root: { tamper: { signature: lastByte } } } }],
  ['DCAP_PCK_ISSUER_SIGNATURE', 'changed', { chain: { ca: { tamper: { signature: lastByte } } } }],
  ['DCAP_PCK_SIGNATURE', 'changed', { chain: { pck: { tamper: { signature: lastByte } } } }],
  ['DCAP_QE_REPORT_SIGNATURE', 'another key', { quote: { signQeReportWith: stranger } }],
  ['DCAP_QUOTE_SIGNATURE', 'another key', { quote: { signQuoteWith: stranger } }],
  ['DCAP_QE_REPORT_DATA', 'another attestation key', { quote: { qe: { reportData: other(64) } } }],
  ['DCAP_CERTIFICATE_VALIDITY', 'expired PCK', { chain: { pck: { validity } } }],
  ['DCAP_CERTIFICATE_VALIDITY', 'expired CA', { chain: { ca: { validity } } }],
  ['DCAP_CERTIFICATE_VALIDITY', 'expired root', { chain: { root: { validity } } }],
  ['DCAP_PCK_EXTENSION', 'none', { chain: { pck: { extensions: [basicConstraints({ ca: false })] } } }],
  ['DCAP_PCK_EXTENSION', 'a short PPID', { chain: { platform: { ...forgedPlatform, ppid: '0f' } } }],
];

const collateralFailures: readonly DcapFailure[] = [
  ['DCAP_COLLATERAL_MISSING', 'none', { sent: () => undefined }],
  ['DCAP_COLLATERAL_MALFORMED', 'no signature', { sent: (all) => ({ ...all, tcbInfo: '{"tcbInfo":{}}' }) }],
  ['DCAP_COLLATERAL_MALFORMED', 'no levels', { collateral: { tcbInfo: { tcbLevels: undefined } } }],
  ['DCAP_COLLATERAL_MALFORMED', 'a short FMSPC', { collateral: { tcbInfo: { fmspc: '00' } } }],
  ['DCAP_TCB_SIGNER', 'another leaf', { chain: { signer: { subject: intelName('Intel SGX PCK Certificate') } } }],
  [
    'DCAP_TCB_SIGNER',
    'no root',
    { sent: (all, { signer }) => ({ ...all, qeIdentityIssuerChain: encodePem(signer, 'CERTIFICATE') }) },
  ],
  [
    'DCAP_TCB_ROOT_MISMATCH',
    'a root of the same name',
    {
      sent: async (all) => {
        const theirs = await forgeCollateral({ chain: strangersChain, tee: 'tdx', now });
        return { ...all, tcbInfo: theirs.tcbInfo, tcbInfoIssuerChain: theirs.tcbInfoIssuerChain };
      },
    },
  ],
  ['DCAP_CRL_MISSING', 'none of the root', { sent: without('rootCaCrl') }],
  ['DCAP_CRL_MISSING', 'none of the PCK CA', { sent: without('pckCrl') }],
  ['DCAP_CRL_ISSUER', 'twice the root', { sent: (all) => ({ ...all, pckCrl: all.rootCaCrl }) }],
  ['DCAP_CRL_ISSUER', 'twice the PCK CA', { sent: (all) => ({ ...all, rootCaCrl: all.pckCrl }) }],
  ['DCAP_TCB_SIGNER_SIGNATURE', 'changed', { chain: { signer: { tamper: { signature: lastByte } } } }],
  ['DCAP_CRL_SIGNATURE', 'of the root changed', { chain: { rootCrl: { tamper: { signature: lastByte } } } }],
  ['DCAP_CRL_SIGNATURE', 'of the PCK CA changed', { chain: { pckCrl: { tamper: { signature: lastByte } } } }],
  ['DCAP_TCB_INFO_SIGNATURE', 'another key', { collateral: { signWith: { tcbInfo: stranger } } }],
  [
    'DCAP_TCB_INFO_SIGNATURE',
    'written anew',
    { sent: (all) => ({ ...all, tcbInfo: JSON.stringify(JSON.parse(all.tcbInfo), null, 2) }) },
  ],
  ['DCAP_QE_IDENTITY_SIGNATURE', 'another key', { collateral: { signWith: { qeIdentity: stranger } } }],
  ['DCAP_CERTIFICATE_VALIDITY', 'expired signer', { chain: { signer: { validity } } }],
  ['DCAP_CRL_NOT_YET_VALID', 'of the root', { chain: { rootCrl: { thisUpdate: after(1) } } }],
  ['DCAP_CRL_NOT_YET_VALID', 'of the PCK CA', { chain: { pckCrl: { thisUpdate: after(1) } } }],
  ['DCAP_CRL_EXPIRED', 'of the root', { chain: { rootCrl: { nextUpdate: after(-0.5) } } }],
  ['DCAP_CRL_EXPIRED', 'of the PCK CA', { chain: { pckCrl: { nextUpdate: after(-0.5) } } }],
  ['DCAP_CRL_EXPIRED', 'never', { chain: { pckCrl: { nextUpdate: null } } }],
  ['DCAP_CERTIFICATE_REVOKED', 'the PCK', { chain: { pckCrl: revoked(3) } }],
  ['DCAP_CERTIFICATE_REVOKED', 'its CA', { chain: { rootCrl: revoked(2) } }],
  ['DCAP_CERTIFICATE_REVOKED', 'the signer', { chain: { rootCrl: revoked(4) } }],
  ['DCAP_TCB_INFO_KIND', 'of SGX', { collateral: { tcbInfo: { id: 'SGX' } } }],
  ['DCAP_TCB_INFO_KIND', 'of TDX', { kind: 'sgx', collateral: { tcbInfo: { id: 'TDX' } } }],
  ['DCAP_TCB_INFO_KIND', 'version 4', { collateral: { tcbInfo: { version: 4 } } }],
  ['DCAP_TCB_INFO_KIND', 'version 2, which SGX alone had', { collateral: { tcbInfo: version2 } }],
  ['DCAP_TCB_INFO_OUTDATED', 'version 2', { kind: 'sgx', collateral: { tcbInfo: version2 } }],
  ['DCAP_COLLATERAL_MALFORMED', 'version 2 in the shape of 3', { collateral: { tcbInfo: { version: 2 } } }],
  [
    'DCAP_COLLATERAL_MALFORMED',
    'version 2 that says of which TEE it is',
    { kind: 'sgx', collateral: { tcbInfo: { ...version2, id: 'SGX' } } },
  ],
  ['DCAP_TCB_INFO_KIND', 'another type', { collateral: { tcbInfo: { tcbType: 1 } } }],
  ['DCAP_QE_IDENTITY_KIND', 'of the QE', { collateral: { qeIdentity: { id: 'QE' } } }],
  ['DCAP_QE_IDENTITY_KIND', 'of the QVE', { kind: 'sgx', collateral: { qeIdentity: { id: 'QVE' } } }],
  ['DCAP_QE_IDENTITY_KIND', 'version 1', { collateral: { qeIdentity: { version: 1 } } }],
  ['DCAP_TCB_INFO_WINDOW', 'expired', { collateral: { tcbInfo: window(-31, -1) } }],
  ['DCAP_TCB_INFO_WINDOW', 'of tomorrow', { collateral: { tcbInfo: window(1, 31) } }],
  ['DCAP_QE_IDENTITY_WINDOW', 'expired', { collateral: { qeIdentity: window(-31, -1) } }],
  ['DCAP_QE_IDENTITY_WINDOW', 'of tomorrow', { collateral: { qeIdentity: window(1, 31) } }],
  ['DCAP_FMSPC_MISMATCH', 'another platform', { collateral: { tcbInfo: { fmspc: otherHex(6) } } }],
  ['DCAP_PCE_ID_MISMATCH', 'another PCE', { collateral: { tcbInfo: { pceId: otherHex(2) } } }],
];

const tcbFailures: readonly DcapFailure[] = [
  ['DCAP_QE_MRSIGNER', 'another signer', { quote: { qe: { mrSigner: other(32) } } }],
  ['DCAP_QE_PRODUCT', 'another product', { quote: { qe: { isvProdId: 9 } } }],
  ['DCAP_QE_MISCSELECT', 'a bit', { quote: { qe: { miscSelect: 1 } } }],
  ['DCAP_QE_ATTRIBUTES', 'debug', { quote: { qe: { attributes: '1700000000000000e700000000000000' } } }],
  ['DCAP_QE_TCB_UNKNOWN', 'an old one', { quote: { qe: { isvSvn: 3 } } }],
  [
    'DCAP_TCB_LEVEL_UNKNOWN',
    'one component',
    { chain: { platform: { ...forgedPlatform, components: [4, 4, 2, 2, 3, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0] } } },
  ],
  ['DCAP_TCB_LEVEL_UNKNOWN', 'the PCE', { chain: { platform: { ...forgedPlatform, pceSvn: 4 } } }],
  ['DCAP_TCB_LEVEL_UNKNOWN', 'a TDX component', { td: { teeTcbSvn: [5, 1, 1] } }],
  ['DCAP_TCB_LEVEL_UNKNOWN', 'the module, version 0', { td: { teeTcbSvn: [4, 0, 2] } }],
  ['DCAP_TCB_REVOKED', 'the platform', { collateral: { tcbInfo: { tcbLevels: [forgedLevel('Revoked')] } } }],
  ['DCAP_TCB_STATUS_NOT_ALLOWED', 'out of date', { chain: { platform: { ...forgedPlatform, pceSvn: 5 } } }],
  [
    'DCAP_TCB_STATUS_NOT_ALLOWED',
    'an old module',
    {
      collateral: {
        tcbInfo: {
          tdxModuleIdentities: [
            forgedModule('TDX_01', [
              [6, 'UpToDate'],
              [4, 'OutOfDate'],
            ]),
          ],
        },
      },
    },
  ],
  [
    'DCAP_TCB_STATUS_NOT_ALLOWED',
    'an old quoting enclave',
    {
      collateral: {
        qeIdentity: { tcbLevels: [{ tcb: { isvsvn: 2 }, tcbDate: '2026-01-14T00:00:00Z', tcbStatus: 'OutOfDate' }] },
      },
    },
  ],
  [
    'DCAP_ADVISORY_NOT_ALLOWED',
    'not listed',
    {
      chain: { platform: { ...forgedPlatform, pceSvn: 5 } },
      section: { tcbStatuses: ['OutOfDate'], advisories: ['INTEL-SA-00002'] },
    },
  ],
  ['DCAP_TCB_EVALUATION_LOW', 'of the TCB info', { collateral: { tcbInfo: { tcbEvaluationDataNumber: 19 } } }],
  ['DCAP_TCB_EVALUATION_LOW', 'of the QE identity', { collateral: { qeIdentity: { tcbEvaluationDataNumber: 19 } } }],
  ['DCAP_FMSPC_DENIED', 'denied', { section: { fmspcs: { deny: [forgedPlatform.fmspc] } } }],
  ['DCAP_FMSPC_NOT_ALLOWED', 'not listed', { section: { fmspcs: { allow: [otherHex(6)] } } }],
  ['DCAP_PPID_DENIED', 'denied', { section: { ppids: { deny: [forgedPlatform.ppid] } } }],
  ['DCAP_PPID_NOT_ALLOWED', 'not listed', { section: { ppids: { allow: [otherHex(16)] } } }],
  ['TDX_MODULE_UNKNOWN', 'version 2', { td: { teeTcbSvn: [5, 2, 2] } }],
  ['TDX_MODULE_SIGNER', 'another signer', { td: { mrSignerSeam: other(48) } }],
  ['TDX_MODULE_SIGNER', 'another signer, version 0', { td: { teeTcbSvn: [5, 0, 2], mrSignerSeam: other(48) } }],
  ['TDX_MODULE_ATTRIBUTES', 'a bit', { td: { seamAttributes: 1n } }],
  ['TDX_MODULE_TCB_UNKNOWN', 'an old one', { td: { teeTcbSvn: [3, 1, 2] } }],
];

const SEPT = 1n << 28n;

const appraisalFailures: readonly DcapFailure[] = [
  ['TDX_REPORT_DATA_MISMATCH', 'another nonce', { td: { reportData: other(64) } }],
  ['TDX_MEASUREMENT_NOT_ALLOWED', 'another MRTD', { td: { mrTd: other(48) } }],
  ['TDX_DEBUG_ALLOWED', 'bit 0', { td: { tdAttributes: SEPT | 1n } }],
  ['TDX_ATTRIBUTES_RESERVED', 'bit 1', { td: { tdAttributes: SEPT | 2n } }],
  ['TDX_XFAM_INVALID', 'no SSE', { td: { xfam: 0x6_02e5n } }],
  ['TDX_XFAM_INVALID', 'a bit too many', { td: { xfam: 0x46_02e7n } }],
  ['TDX_SEPT_VE_ENABLED', 'bit 28', { td: { tdAttributes: 0n } }],
  ['TDX_MIGRATABLE', 'bit 29', { td: { tdAttributes: SEPT | (1n << 29n) } }],
  [
    'TDX_MIGRATABLE',
    'a body that names no service TD',
    { td: { tdAttributes: SEPT | (1n << 29n) }, section: { serviceTds: [otherHex(48)] } },
  ],
  ['TDX_SERVICE_TD_NOT_ALLOWED', 'not listed', { kind: 'td-1.5', td: { mrServiceTd: other(48) } }],
  ['TDX_RTMR_NOT_ALLOWED', 'RTMR0', { section: { rtmrs: { 0: [otherHex(48)] } } }],
  ['TDX_RTMR_NOT_ALLOWED', 'RTMR3', { section: { rtmrs: { 0: ['00'.repeat(48)], 3: [otherHex(48)] } } }],
  ['TDX_CONFIG_ID_NOT_ALLOWED', 'not listed', { section: { mrConfigIds: [otherHex(48)] } }],
  ['TDX_OWNER_NOT_ALLOWED', 'not listed', { section: { mrOwners: [otherHex(48)] } }],
  ['SGX_REPORT_DATA_MISMATCH', 'another nonce', { kind: 'sgx', enclave: { reportData: other(64) } }],
  ['SGX_MEASUREMENT_NOT_ALLOWED', 'another enclave', { kind: 'sgx', enclave: { mrEnclave: other(32) } }],
  ['SGX_SIGNER_NOT_ALLOWED', 'another signer', { kind: 'sgx', enclave: { mrSigner: other(32) } }],
  ['SGX_SIGNER_NOT_ALLOWED', 'another product', { kind: 'sgx', enclave: { isvProdId: 8 } }],
  ['SGX_ISV_SVN_LOW', 'an old one', { kind: 'sgx', enclave: { isvSvn: 2 } }],
  ['SGX_DEBUG_ALLOWED', 'bit 1', { kind: 'sgx', enclave: { attributes: '0700000000000000e700000000000000' } }],
  [
    'SGX_ATTRIBUTES_NOT_ALLOWED',
    'an XFRM that the policy does not name',
    { kind: 'sgx', section: { attributes: { value: '0500000000000000e300000000000000', mask: 'ff'.repeat(16) } } },
  ],
  [
    'SGX_ATTRIBUTES_INVALID',
    'not started',
    { kind: 'sgx', enclave: { attributes: '0400000000000000e700000000000000' } },
  ],
  ['SGX_ATTRIBUTES_INVALID', 'bit 3', { kind: 'sgx', enclave: { attributes: '0d00000000000000e700000000000000' } }],
];

export const dcapFailures: readonly DcapFailure[] = [
  ...quoteFailures,
  ...collateralFailures,
  ...tcbFailures,
  ...appraisalFailures,
];

/** Scenarios that differ from the plain one and are accepted all the same. */
export const dcapAccepted: readonly (readonly [what: string, scenario: DcapScenario])[] = [
  ['TDX, version 4', {}],
  ['TDX 1.0, version 5', { version: 5 }],
  ['TDX 1.5, version 5', { kind: 'td-1.5' }],
  ['SGX', { kind: 'sgx' }],
  ['SGX, naming its PCK certificate by PPID', { kind: 'sgx', ...naming({}) }],
  ['TDX, naming its PCK certificate by PPID', naming({})],
  ['SGX, naming its PCK certificate by a PPID encrypted with RSA-2048', { kind: 'sgx', ...naming({}, 2) }],
  ['SGX, naming its PCK certificate by a PPID encrypted with RSA-3072', { kind: 'sgx', ...naming({}, 3) }],
  [
    'SGX, naming its PCK certificate without a PCE id',
    {
      kind: 'sgx',
      quote: { certificationType: 1, certification: pckReference(forgedPlatform, 1).subarray(0, -2) },
      sent: (all, chain) => handedIn(all, chain),
    },
  ],
  ['a chain handed in for a quote with one', { sent: (all, chain) => handedIn(all, chain) }],
  [
    'SGX with attributes that the policy names',
    { kind: 'sgx', section: { attributes: { value: '0500000000000000e700000000000000', mask: 'ff'.repeat(16) } } },
  ],
  ['SGX under its measurement alone', { kind: 'sgx', section: { signers: undefined } }],
  ['a processor CA', { chain: { issuer: 'processor' } }],
  ['zeros after the quote', { quote: { trailing: new Uint8Array(3000) } }],
  ['a module of version 0', { td: { teeTcbSvn: [5, 0, 2] } }],
  ['a listed service TD', { kind: 'td-1.5', td: { mrServiceTd: other(48) }, section: { serviceTds: [otherHex(48)] } }],
  [
    'a migratable TD with a listed service TD',
    {
      kind: 'td-1.5',
      td: { tdAttributes: SEPT | (1n << 29n), mrServiceTd: other(48) },
      section: { serviceTds: [otherHex(48)] },
    },
  ],
  ['listed registers', { td: { rtmrs: [other(48)] }, section: { rtmrs: { 0: [otherHex(48)], 1: ['00'.repeat(48)] } } }],
  ['a listed platform', { section: { ppids: { allow: [forgedPlatform.ppid], deny: [otherHex(16)] } } }],
  [
    'a listed advisory',
    {
      chain: { platform: { ...forgedPlatform, pceSvn: 5 } },
      section: { tcbStatuses: ['OutOfDate'], advisories: ['INTEL-SA-00001'] },
    },
  ],
  ['without SEPT_VE_DISABLE where the policy says so', { td: { tdAttributes: 0n }, section: { septVeDisable: 'any' } }],
];

/** Scenarios that a waiver lets pass. */
export const dcapWaived: readonly DcapFailure[] = dcapFailures.filter(([code]) =>
  ['DCAP_CRL_MISSING', 'DCAP_CRL_EXPIRED', 'DCAP_TCB_INFO_OUTDATED', 'TDX_DEBUG_ALLOWED', 'SGX_DEBUG_ALLOWED'].includes(
    code,
  ),
);
