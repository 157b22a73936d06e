import { evidenceFormats, formatOf, isCmwCollection, type Cmw, type CmwCollection, type Tee } from '@fastness/attest';
import { encodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { encodeDcapCollateral } from '@fastness/attest/formats/tdx';
import { decodePem, fromBase64, fromHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseCrl } from '@fastness/codec/x509';
import { isEndorsementBundle, readEndorsementBundle } from '@fastness/evidence/endorsements';
import { z } from 'zod';
import { cmwOf, readLimited } from './evidence-file.ts';

/** Files that the caller names with --endorsements, in the form that the verifier of this evidence reads. */
export async function loadEndorsements(
  paths: readonly string[],
  evidence: Cmw | CmwCollection,
): Promise<readonly Cmw[]> {
  const tees = teesIn(evidence);
  const certificates: Uint8Array[] = [];
  const crls: Uint8Array[] = [];
  const ready: Cmw[] = [];
  for (const path of paths) {
    const bytes = await readLimited(path);
    if (isEndorsementBundle(bytes)) {
      ready.push(...readEndorsementBundle(bytes, { evidence }));
      continue;
    }
    const wrapped = cmwOf(bytes);
    if (wrapped !== undefined) ready.push(...(isCmwCollection(wrapped) ? wrapped.records.values() : [wrapped]));
    else if (tees.some((tee) => tee === 'tdx' || tee === 'sgx') && bytes[0] === 0x7b)
      ready.push(collateralOf(bytes, path));
    else if (tees.includes('sev-snp')) {
      const found = certificatesOf(bytes);
      if (found === undefined) throw notRecognised(path, tees);
      certificates.push(...found.certificates);
      crls.push(...found.crls);
    } else throw notRecognised(path, tees);
  }
  if (certificates.length + crls.length > 0) ready.push(encodeSnpEndorsements({ certificates, crls }));
  return ready;
}

function teesIn(evidence: Cmw | CmwCollection): readonly Tee[] {
  const records = isCmwCollection(evidence) ? [...evidence.records.values()] : [evidence];
  return records.map((record) => formatOf(record).tee);
}

/** Certificates and lists in DER or PEM, one or several in a file. */
function certificatesOf(
  bytes: Uint8Array,
): { readonly certificates: readonly Uint8Array[]; readonly crls: readonly Uint8Array[] } | undefined {
  if (bytes[0] === 0x30)
    return isCrl(bytes) ? { certificates: [], crls: [bytes] } : { certificates: [bytes], crls: [] };
  let text: string;
  try {
    text = utf8Decode(bytes);
  } catch {
    return undefined;
  }
  const certificates = text.includes('-----BEGIN CERTIFICATE-----') ? decodePem(text, 'CERTIFICATE') : [];
  const crls = text.includes('-----BEGIN X509 CRL-----') ? decodePem(text, 'X509 CRL') : [];
  return certificates.length + crls.length === 0 ? undefined : { certificates, crls };
}

/** A certificate and a list begin alike; only one of them reads as a list. */
function isCrl(der: Uint8Array): boolean {
  try {
    parseCrl(der);
    return true;
  } catch {
    return false;
  }
}

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
});
/** Collateral in the form of {@link encodeDcapCollateral}. */
const wholeSchema = z.strictObject({
  tcbInfo: textField,
  tcbInfoIssuerChain: textField,
  qeIdentity: textField,
  qeIdentityIssuerChain: textField,
  rootCaCrl: textField.optional(),
  pckCrl: textField.optional(),
});

function collateralOf(bytes: Uint8Array, path: string): Cmw {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} begins like JSON and is none.`, { cause });
  }
  const whole = wholeSchema.safeParse(value);
  if (whole.success) {
    const { rootCaCrl, pckCrl, ...texts } = whole.data;
    return encodeDcapCollateral({ ...texts, ...lists(rootCaCrl, pckCrl) });
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
  });
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

function notRecognised(path: string, tees: readonly Tee[]): FastnessError {
  const types = evidenceFormats
    .filter(({ tee }) => tees.includes(tee))
    .flatMap(({ endorsementTypes }) => endorsementTypes);
  const wanted =
    types.length === 0
      ? 'this evidence needs none'
      : `expected a CMW of ${types.join(' or ')}, or the vendor's own form`;
  return new FastnessError('CLI_NOT_RECOGNISED', `${path}: ${wanted}.`);
}
