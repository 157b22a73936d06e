import type { Cmw } from '@fastness/attest';
import { encodeDcapCollateral } from '@fastness/attest/formats/tdx';
import { decodePem, fromBase64, fromHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const textField = z.string().max(1_000_000);
/** Collateral as dcap-qvl and its kin write it: documents and signatures apart, lists in hex or base64. */
const separateSchema = z.looseObject({
  tcb_info: textField,
  tcb_info_signature: textField,
  tcb_info_issuer_chain: textField,
  qe_identity: textField,
  qe_identity_signature: textField,
  qe_identity_issuer_chain: textField,
  root_ca_crl: textField.optional(),
  pck_crl: textField.optional(),
  pck_certificate_chain: textField.nullish(),
});
/** Collateral in the form of {@link encodeDcapCollateral}. */
const wholeSchema = z.strictObject({
  tcbInfo: textField,
  tcbInfoIssuerChain: textField,
  qeIdentity: textField,
  qeIdentityIssuerChain: textField,
  rootCaCrl: textField.optional(),
  pckCrl: textField.optional(),
  pckCertificateChain: textField.optional(),
});

/** Collateral of Intel's PCS, in either form. Throws CLI_NOT_RECOGNISED. */
export function collateralOf(bytes: Uint8Array, path: string): Cmw {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} begins like JSON and is none.`, { cause });
  }
  const whole = wholeSchema.safeParse(value);
  if (whole.success) {
    const { rootCaCrl, pckCrl, pckCertificateChain, ...texts } = whole.data;
    return encodeDcapCollateral({ ...texts, ...lists(rootCaCrl, pckCrl), ...chain(pckCertificateChain) });
  }
  const separate = separateSchema.safeParse(value);
  if (!separate.success) throw new FastnessError('CLI_NOT_RECOGNISED', `${path} is no collateral of Intel's PCS.`);
  const { data } = separate;
  return encodeDcapCollateral({
    // The signed text is put back as it stood; Intel signs these very bytes.
    tcbInfo: `{"tcbInfo":${data.tcb_info},"signature":"${data.tcb_info_signature}"}`,
    tcbInfoIssuerChain: data.tcb_info_issuer_chain,
    qeIdentity: `{"enclaveIdentity":${data.qe_identity},"signature":"${data.qe_identity_signature}"}`,
    qeIdentityIssuerChain: data.qe_identity_issuer_chain,
    ...lists(data.root_ca_crl, data.pck_crl),
    ...chain(data.pck_certificate_chain),
  });
}

function chain(pckCertificateChain: string | null | undefined): { pckCertificateChain?: string } {
  return typeof pckCertificateChain === 'string' ? { pckCertificateChain } : {};
}

function lists(
  rootCaCrl: string | undefined,
  pckCrl: string | undefined,
): { rootCaCrl?: Uint8Array; pckCrl?: Uint8Array } {
  return {
    ...(rootCaCrl === undefined ? {} : { rootCaCrl: crlOf(rootCaCrl) }),
    ...(pckCrl === undefined ? {} : { pckCrl: crlOf(pckCrl) }),
  };
}

/** DER in hex or in base64 of either alphabet, or PEM. */
function crlOf(text: string): Uint8Array {
  const compact = text.trim();
  if (compact.startsWith('-----BEGIN')) return decodePem(compact, 'X509 CRL')[0] ?? new Uint8Array();
  if (/^(?:[0-9a-fA-F]{2})+$/.test(compact)) return fromHex(compact.toLowerCase());
  const standard = compact.replaceAll('-', '+').replaceAll('_', '/').replaceAll('=', '');
  return fromBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '='));
}
