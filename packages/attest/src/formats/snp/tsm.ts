import { fromBase64Url, nestsDeeper, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';
import { parseCertTable } from './cert-table.ts';
import { REPORT_BYTES } from './layout.ts';

/**
 * Linux hands reports out through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): `provider`, `outblob` (the
 * report) and `auxblob` (the host's certificate table). Older interfaces give an extended report, the two in one piece.
 */
export interface TsmReport {
  /** 1184 bytes. */
  readonly outblob: Uint8Array;
  /** The certificate table; may be absent or empty. */
  readonly auxblob?: Uint8Array;
}

const PROVIDER = 'sev_guest';

const schema = z.strictObject({
  provider: z.string(),
  outblob: z.string(),
  auxblob: z.string().exactOptional(),
});

/** A report and the certificates and revocation lists of its table. Throws SNP_CERT_TABLE_MALFORMED. */
export function readTsm({ outblob, auxblob }: TsmReport): {
  readonly report: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
} {
  const { certificates, crls } = parseCertTable(auxblob ?? new Uint8Array(0));
  return { report: outblob, certificates, crls };
}

/** Cuts an extended report in two. Throws SNP_REPORT_SIZE when it is shorter than a report. */
export function splitExtendedReport(bytes: Uint8Array): Required<TsmReport> {
  if (bytes.length < REPORT_BYTES) {
    throw new FastnessError('SNP_REPORT_SIZE', `Expected at least ${REPORT_BYTES} bytes; found ${bytes.length}.`);
  }
  return { outblob: bytes.subarray(0, REPORT_BYTES), auxblob: bytes.subarray(REPORT_BYTES) };
}

/** Reads the JSON form of a configfs-tsm report, which Veraison's collectors send. */
export function decodeTsmReport(value: Uint8Array): ReturnType<typeof readTsm> {
  let json: unknown;
  try {
    const text = utf8Decode(value);
    if (nestsDeeper(text, 1)) throw new SyntaxError('Nested.');
    json = JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Not JSON of this shape.', { cause });
  }
  const read = schema.safeParse(json);
  if (!read.success) throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Expected provider, outblob and auxblob.');
  const { provider, outblob, auxblob } = read.data;
  if (provider.trim() !== PROVIDER) {
    throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Provider ${provider.trim().slice(0, 40)}.`);
  }
  return readTsm({
    outblob: fromBase64Url(outblob),
    ...(auxblob === undefined ? {} : { auxblob: fromBase64Url(auxblob) }),
  });
}
