import { equalBytes, fromHex, toHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { SnpIdentity } from '../../claims/snp.ts';
import type { Chain } from './certificates.ts';
import type { SnpReport } from './report.ts';

/**
 * What AMD certifies about a VCEK or VLEK in extensions of its own (AMD 57230, "VCEK Certificate and KDS Interface"), and
 * whether the report agrees. Without this, a key extracted from old firmware could sign reports that name new firmware.
 */

const AMD_ARC = '1.3.6.1.4.1.3704.1';
const PRODUCT_NAME = `${AMD_ARC}.2`;
const HWID = `${AMD_ARC}.4`;
const CSP_ID = `${AMD_ARC}.5`;
const TAG_INTEGER = 0x02;
const TAG_OCTET_STRING = 0x04;
const TAG_IA5_STRING = 0x16;
const REPORTED_CHIP_ID_BYTES = 64;

/** Checks that the report belongs to the leaf, and returns who the leaf says it is. */
export function checkEndorsementKey(
  chain: Chain,
  kind: 'vcek' | 'vlek',
  report: SnpReport,
  checks: Checklist,
): SnpIdentity {
  checkProductName(chain, checks);
  checkCpuid(chain, report, checks);
  checkTcb(chain, report, checks);
  return kind === 'vcek' ? checkChip(chain, report, checks) : checkProvider(chain, report, checks);
}

/** "Milan", or with a stepping, "Milan-B0". */
function checkProductName(chain: Chain, checks: Checklist): void {
  const name = readText(chain.leaf, PRODUCT_NAME);
  const expected = chain.product.name;
  checks.require('SNP_PRODUCT_NAME_MISMATCH', name === expected || name.startsWith(`${expected}-`), {
    expected,
    actual: name,
  });
}

function checkCpuid({ product }: Chain, report: SnpReport, checks: Checklist): void {
  const { cpuid } = report;
  if (cpuid === undefined) {
    checks.notApplicable('SNP_CPUID_MISMATCH', `a version ${report.version} report carries no CPUID`);
    return;
  }
  const { family, models } = product.cpuid;
  const known = cpuid.family === family && models.some(([first, last]) => cpuid.model >= first && cpuid.model <= last);
  checks.require('SNP_CPUID_MISMATCH', known, {
    expected: `${product.name}: family ${family}, model ${models.map((range) => range.join(' to ')).join(' or ')}`,
    actual: `family ${cpuid.family}, model ${cpuid.model}`,
  });
}

/** The key is derived from the reported TCB - not the current or committed one - so all eight bytes must agree with it. */
function checkTcb({ leaf, product }: Chain, report: SnpReport, checks: Checklist): void {
  const certified = Uint8Array.from(product.tcb, ({ extension }) => readByte(leaf, `${AMD_ARC}.3.${extension}`));
  const expected = toHex(certified);
  checks.require('SNP_TCB_CERTIFICATE_MISMATCH', report.tcb.reported === expected, {
    expected,
    actual: report.tcb.reported,
  });
}

function checkChip({ leaf, product }: Chain, report: SnpReport, checks: Checklist): SnpIdentity {
  const certified = readHwid(leaf, product.chipIdBytes);
  const reported = fromHex(report.chipId);
  const padded = new Uint8Array(REPORTED_CHIP_ID_BYTES);
  padded.set(certified);
  checks.require('SNP_HWID_MISMATCH', equalBytes(reported, padded), {
    expected: toHex(certified),
    actual: report.chipId,
  });
  checks.notApplicable('SNP_CSP_ID_MISSING', 'a VCEK belongs to a chip, not to a provider');
  checks.notApplicable('SNP_VLEK_CHIP_ID', 'signed by a VCEK');
  return Object.freeze({ kind: 'chip-id', value: toHex(certified) });
}

function checkProvider({ leaf }: Chain, report: SnpReport, checks: Checklist): SnpIdentity {
  checks.notApplicable('SNP_HWID_MISMATCH', 'a VLEK belongs to a provider, not to a chip');
  const provider = leaf.extensions.has(CSP_ID) ? readText(leaf, CSP_ID) : '';
  checks.require('SNP_CSP_ID_MISSING', provider !== '', {
    expected: 'the name of a provider',
    actual: provider || 'none',
  });
  checks.requireUnlessWaived('SNP_VLEK_CHIP_ID', /^0*$/.test(report.chipId), {
    expected: 'zeros',
    actual: report.chipId,
  });
  return Object.freeze({ kind: 'csp-id', value: provider });
}

/** A DER INTEGER from 0 to 255. */
function readByte(leaf: Certificate, oid: string): number {
  const value = readExtension(leaf, oid);
  const [tag, length, first, second] = value;
  if (tag === TAG_INTEGER && first !== undefined) {
    if (value.length === 3 && length === 1 && first < 0x80) return first;
    if (value.length === 4 && length === 2 && first === 0 && second !== undefined && second >= 0x80) return second;
  }
  throw malformed(oid, 'is not an integer from 0 to 255');
}

/** An IA5String of printable characters. */
function readText(leaf: Certificate, oid: string): string {
  const value = readExtension(leaf, oid);
  const text = value.subarray(2);
  const printable = text.every((byte) => byte >= 0x20 && byte < 0x7f);
  if (value[0] !== TAG_IA5_STRING || value[1] !== text.length || text.length > 0x7f || !printable)
    throw malformed(oid, 'is not text');
  return utf8Decode(text);
}

/** AMD writes the bare bytes; an OCTET STRING around them, as DER asks for, is read as well. */
function readHwid(leaf: Certificate, bytes: number): Uint8Array {
  const value = readExtension(leaf, HWID);
  if (value.length === bytes) return value;
  if (value.length === bytes + 2 && value[0] === TAG_OCTET_STRING && value[1] === bytes) return value.subarray(2);
  throw malformed(HWID, `does not hold ${bytes} bytes`);
}

function readExtension(leaf: Certificate, oid: string): Uint8Array {
  const extension = leaf.extensions.get(oid);
  if (extension === undefined) throw malformed(oid, 'is missing');
  return extension.value;
}

function malformed(oid: string, why: string): FastnessError {
  return new FastnessError('SNP_LEAF_EXTENSIONS', `Extension ${oid} ${why}.`);
}
