import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { ByteReader, fromBase64, toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import {
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_EVIDENCE_TYPE,
  cmwFromJson,
  isCmwCollection,
  type Cmw,
} from '@fastness/attest';
import { encodeSnpEvidence, parse as parseSnp, REPORT_BYTES } from '@fastness/attest/formats/snp';
import { floeHeaderLength, parseManifest, readReleasePackage } from '@fastness/model';
import { parseOmsBundle, parseRelease, parseStatement, releaseDigestOf } from '@fastness/model/release';
import { z } from 'zod';
import { describeEvidence } from './attest/describe-evidence.ts';
import { evidenceIn } from './attest/evidence-file.ts';
import { formatBytes } from './format.ts';

const objectSchema = z.record(z.string(), z.unknown());

/** What a file says of itself. None of it is authenticated. */
export interface Description {
  readonly kind: string;
  readonly facts: Record<string, unknown>;
}

/** Reads the start of a file, or all of it, and says what it is. Throws CLI_NOT_RECOGNISED. */
export function describeBytes(bytes: Uint8Array, size: number): Description {
  if (size === REPORT_BYTES) return describeReport(encodeSnpEvidence({ report: bytes }));
  const first = bytes[0];
  if (first === 0x7b || first === 0x5b) return describeJson(bytes, size);
  if (first === 0 && bytes[1] === 0 && size > floeHeaderLength) return describeFloe(bytes, size);
  return describeAny(bytes, size) ?? describeReport({ type: SNP_EVIDENCE_TYPE, value: bytes });
}

/** Evidence in any form that can be verified. Undefined: it is none. */
function describeAny(bytes: Uint8Array, size: number): Description | undefined {
  const found = bytes.length === size ? evidenceIn(bytes) : undefined;
  if (found === undefined) return undefined;
  const { evidence } = found;
  return isCmwCollection(evidence) ? describeEvidence(evidence) : describeRecord(evidence);
}

/** The envelope of SEV-SNP has the same content for genuine and simulated reports; its type says which it is. */
function describeRecord(evidence: Cmw): Description {
  return [SNP_EVIDENCE_TYPE, SIMULATED_SNP_EVIDENCE_TYPE].includes(evidence.type)
    ? describeReport(evidence)
    : describeEvidence(evidence);
}

function describeReport(evidence: Cmw): Description {
  let parsed;
  try {
    parsed = parseSnp(evidence);
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', undefined, { cause });
  }
  const { report, certificates } = parsed;
  const simulated = evidence.type === SIMULATED_SNP_EVIDENCE_TYPE;
  return {
    kind: simulated ? 'SIMULATED SEV-SNP attestation report' : 'SEV-SNP attestation report',
    facts: {
      version: report.version,
      measurement: report.measurement,
      reportData: report.reportData,
      hostData: report.hostData,
      vmpl: report.vmpl,
      guestPolicy: stringify(report.policy),
      platform: stringify(report.platform),
      tcb: report.tcb,
      chipId: report.chipId,
      firmware: report.firmware,
      ...(report.cpuid === undefined ? {} : { cpuid: report.cpuid }),
      certificates: certificates.map((certificate) => certificate.subject.commonName ?? 'unnamed'),
    },
  };
}

/** Bit fields hold wide integers, which JSON has none of. */
function stringify(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? `0x${member.toString(16)}` : member,
    ),
  );
}

function describeFloe(bytes: Uint8Array, size: number): Description {
  const reader = new ByteReader(bytes);
  reader.take(2);
  const segmentLength = reader.u32be();
  const ivLength = reader.u32be();
  if (ivLength !== 32 || segmentLength < 64) throw new FastnessError('CLI_NOT_RECOGNISED');
  const body = size - floeHeaderLength;
  return {
    kind: 'Sealed file (C2SP FLOE, AES-256-GCM)',
    facts: {
      size: formatBytes(size),
      segmentLength,
      segments: Math.ceil(body / segmentLength),
      iv: toHex(reader.take(32)),
      headerTag: toHex(reader.take(32)),
    },
  };
}

function describeJson(bytes: Uint8Array, size: number): Description {
  if (bytes.length !== size)
    throw new FastnessError('CLI_NOT_RECOGNISED', `${size} bytes of JSON are more than any of these has.`);
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', 'It begins like JSON and is none.', { cause });
  }
  const any = Array.isArray(value) || !('format' in objectSchema.parse(value)) ? describeAny(bytes, size) : undefined;
  if (any !== undefined) return any;
  const object = objectSchema.parse(Array.isArray(value) ? {} : value);
  if ('dsseEnvelope' in object || 'mediaType' in object) return describeBundle(utf8Decode(bytes));
  if ('payloadType' in object && typeof object['payload'] === 'string') return describeApproval(object['payload']);
  if (typeof object['format'] !== 'string') throw new FastnessError('CLI_NOT_RECOGNISED');
  const { evidence, ...rest } = object;
  const nested = Array.isArray(evidence) ? { evidence: describeRecord(cmwFromJson(evidence)) } : {};
  return { kind: object['format'], facts: { ...shorten(rest), ...nested } };
}

/** Long members (whole documents inside a bundle) are named by their size. */
function shorten(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => {
      const length = JSON.stringify(value)?.length ?? 0;
      return [name, length > 600 ? `(${length} characters)` : value];
    }),
  );
}

function describeBundle(text: string): Description {
  const { method, envelope } = parseOmsBundle(text);
  return {
    kind: 'OpenSSF Model Signing signature',
    facts: {
      method: method.kind,
      ...(method.kind === 'key' && method.keyHint !== undefined ? { keyHint: method.keyHint } : {}),
      signatures: envelope.signatures.length,
    },
  };
}

function describeApproval(payload: string): Description {
  try {
    return { kind: 'Signed statement (DSSE)', facts: objectSchema.parse(JSON.parse(utf8Decode(fromBase64(payload)))) };
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', 'The payload of the envelope is no JSON object.', { cause });
  }
}

/** A sealed model: what it is, which release was signed over it, and who approved. */
export async function describeSealedModel(path: string): Promise<Description> {
  let text: string;
  try {
    text = await readFile(join(path, 'manifest.json'), 'utf8');
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} holds no manifest.json.`, { cause });
  }
  const manifest = parseManifest(text);
  const facts: Record<string, unknown> = {
    modelId: manifest.modelId,
    engine: manifest.engine,
    task: manifest.task,
    sealId: manifest.sealId,
    createdAt: manifest.createdAt,
    files: manifest.files.map((file) => `${file.path} (${formatBytes(file.size)})`),
  };
  try {
    const releasePackage = await readReleasePackage(path);
    const release = parseRelease(releasePackage.release);
    const { envelope } = parseOmsBundle(releasePackage.bundle);
    const statement = await parseStatement(envelope.payload);
    Object.assign(facts, {
      releaseDigest: toHex(await releaseDigestOf(releasePackage.bundle)),
      release,
      signedFiles: statement.resources.length,
      approvals: releasePackage.approvals.map(
        (approval) => describeJson(utf8Encode(approval), utf8Encode(approval).length).facts['approver'],
      ),
    });
  } catch (error) {
    if (!(error instanceof FastnessError)) throw error;
    facts['release'] = `none: ${error.code}`;
  }
  return { kind: 'Sealed model', facts };
}
