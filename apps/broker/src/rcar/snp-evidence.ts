import { type Cmw } from '@fastness/attest';
import { encodeSnpEndorsements, encodeSnpEvidence } from '@fastness/attest/formats/snp';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const u8 = z.int().min(0).max(0xff);
const u32 = z.int().min(0).max(0xffff_ffff);
const u64 = z
  .union([z.int().nonnegative(), z.bigint().nonnegative().max(0xffff_ffff_ffff_ffffn)])
  .transform((value) => BigInt(value));
const bytes = (length: number): z.ZodType<number[]> => z.array(u8).length(length);
const tcb = z.strictObject({ fmc: u8.nullish(), bootloader: u8, tee: u8, snp: u8, microcode: u8 });
const firmware = z.strictObject({ major: u8, minor: u8, build: u8 });

/** A report as the `sev` library of the guest (6 and 7) writes it to JSON: field by field. */
const report = z.strictObject({
  version: u32,
  guest_svn: u32,
  policy: u64,
  family_id: bytes(16),
  image_id: bytes(16),
  vmpl: u32,
  sig_algo: u32,
  current_tcb: tcb,
  plat_info: u64,
  key_info: u32,
  report_data: bytes(64),
  measurement: bytes(48),
  host_data: bytes(32),
  id_key_digest: bytes(48),
  author_key_digest: bytes(48),
  report_id: bytes(32),
  report_id_ma: bytes(32),
  reported_tcb: tcb,
  cpuid_fam_id: u8.nullish(),
  cpuid_mod_id: u8.nullish(),
  cpuid_step: u8.nullish(),
  chip_id: bytes(64),
  committed_tcb: tcb,
  current: firmware,
  committed: firmware,
  launch_tcb: tcb,
  launch_mit_vector: u64.nullish(),
  current_mit_vector: u64.nullish(),
  signature: z.strictObject({ r: bytes(72), s: bytes(72) }),
});
type Report = z.output<typeof report>;

const certificate = z.strictObject({
  cert_type: z.union([
    z.enum(['Empty', 'ARK', 'ASK', 'VCEK', 'VLEK', 'CRL']),
    z.strictObject({ OTHER: z.string().max(64) }),
  ]),
  data: z.array(u8).max(64 * 1024),
});

const evidence = z.strictObject({ attestation_report: report, cert_chain: z.array(certificate).max(16).nullish() });

/**
 * Takes SEV-SNP evidence of a guest out of its JSON: the report is put together again byte by byte, so that AMD's signature
 * decides whether every field was told truly. Bytes that the JSON has no place for are zero; a report with something there
 * does not verify. Throws `RCAR_EVIDENCE_MALFORMED`.
 */
export function readSnpEvidence(value: unknown): { evidence: Cmw; endorsements: Cmw[] } {
  const read = evidence.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new FastnessError('RCAR_EVIDENCE_MALFORMED', `snp: /${issue?.path.map(String).join('/') ?? ''}.`);
  }
  const certificates: Uint8Array[] = [];
  const crls: Uint8Array[] = [];
  for (const { cert_type: type, data } of read.data.cert_chain ?? []) {
    if (type === 'CRL') crls.push(Uint8Array.from(data));
    else if (typeof type === 'string' && type !== 'Empty') certificates.push(Uint8Array.from(data));
  }
  return {
    evidence: encodeSnpEvidence({ report: writeReport(read.data.attestation_report) }),
    endorsements: certificates.length + crls.length === 0 ? [] : [encodeSnpEndorsements({ certificates, crls })],
  };
}

/** Offsets as in AMD 56860, table ATTESTATION_REPORT. */
function writeReport(fields: Report): Uint8Array {
  const bytesOut = new Uint8Array(0x4a0);
  const view = new DataView(bytesOut.buffer);
  const word = (offset: number, value: number): void => {
    view.setUint32(offset, value, true);
  };
  const long = (offset: number, value: bigint): void => {
    view.setBigUint64(offset, value, true);
  };
  word(0x000, fields.version);
  word(0x004, fields.guest_svn);
  long(0x008, fields.policy);
  bytesOut.set(fields.family_id, 0x010);
  bytesOut.set(fields.image_id, 0x020);
  word(0x030, fields.vmpl);
  word(0x034, fields.sig_algo);
  bytesOut.set(tcbBytes(fields.current_tcb), 0x038);
  long(0x040, fields.plat_info);
  word(0x048, fields.key_info);
  bytesOut.set(fields.report_data, 0x050);
  bytesOut.set(fields.measurement, 0x090);
  bytesOut.set(fields.host_data, 0x0c0);
  bytesOut.set(fields.id_key_digest, 0x0e0);
  bytesOut.set(fields.author_key_digest, 0x110);
  bytesOut.set(fields.report_id, 0x140);
  bytesOut.set(fields.report_id_ma, 0x160);
  bytesOut.set(tcbBytes(fields.reported_tcb), 0x180);
  bytesOut.set([fields.cpuid_fam_id ?? 0, fields.cpuid_mod_id ?? 0, fields.cpuid_step ?? 0], 0x188);
  bytesOut.set(fields.chip_id, 0x1a0);
  bytesOut.set(tcbBytes(fields.committed_tcb), 0x1e0);
  bytesOut.set(firmwareBytes(fields.current), 0x1e8);
  bytesOut.set(firmwareBytes(fields.committed), 0x1ec);
  bytesOut.set(tcbBytes(fields.launch_tcb), 0x1f0);
  long(0x1f8, fields.launch_mit_vector ?? 0n);
  long(0x200, fields.current_mit_vector ?? 0n);
  bytesOut.set(fields.signature.r, 0x2a0);
  bytesOut.set(fields.signature.s, 0x2e8);
  return bytesOut;
}

/** From Turin on, which has an FMC, the parts moved. */
function tcbBytes({ fmc, bootloader, tee, snp, microcode }: Report['current_tcb']): number[] {
  return fmc === undefined || fmc === null
    ? [bootloader, tee, 0, 0, 0, 0, snp, microcode]
    : [fmc, bootloader, tee, snp, 0, 0, 0, microcode];
}

function firmwareBytes({ major, minor, build }: Report['current']): number[] {
  return [build, minor, major];
}
