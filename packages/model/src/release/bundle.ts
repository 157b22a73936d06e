import { fromBase64, toBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { sha256 } from './digest.ts';
import { decodeDsse, dsseSchema, encodeDsse, type DsseEnvelope } from './dsse.ts';
import { parseJsonText } from './json.ts';
import { maxStatementLength, readStatementType, statementPayloadType } from './statement.ts';

const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** Characters of a bundle: the largest statement in base64, and what surrounds it. */
export const maxBundleLength = Math.ceil((maxStatementLength * 4) / 3) + 1024 * 1024;

/** How a bundle says it was signed. Nothing of it is authenticated. */
export type BundleMethod =
  /** With a key. `keyHint` is the hex SHA-256 of the public key's PEM; tools before 1.1 wrote none. */
  | { readonly kind: 'key'; readonly keyHint: string | undefined }
  /** With the key of a certificate. DER, the signing certificate first. */
  | { readonly kind: 'certificate'; readonly certificates: readonly Uint8Array[] }
  /** Keyless, through Fulcio and Rekor: read, never verified here. */
  | { readonly kind: 'sigstore' };

/** An OMS signature, read but not verified: trust nothing in it before `verifyOmsBundle`. */
export interface OmsBundle {
  readonly method: BundleMethod;
  readonly envelope: DsseEnvelope;
}

const certificateSchema = z.strictObject({
  rawBytes: z
    .string()
    .min(4)
    .max(64 * 1024),
});

const bundleSchema = z.strictObject({
  mediaType: z.literal(bundleMediaType),
  verificationMaterial: z
    .strictObject({
      publicKey: z.strictObject({
        hint: z.string().max(128).nullish(),
        // Tools before 1.1 embed the key itself. It proves nothing, so it is not read.
        rawBytes: z.string().max(4096).optional(),
        keyDetails: z.string().max(128).optional(),
      }),
      x509CertificateChain: z.strictObject({ certificates: z.array(certificateSchema).min(1).max(10) }),
      certificate: certificateSchema,
      tlogEntries: z.array(z.unknown()).max(32),
      timestampVerificationData: z.unknown(),
    })
    .partial(),
  dsseEnvelope: dsseSchema(Math.ceil((maxStatementLength * 4) / 3) + 4),
});

/**
 * Reads the text of an OMS signature file: a Sigstore bundle 0.3 around a DSSE envelope.
 * Errors: OMS_LIMIT, OMS_MALFORMED, OMS_PAYLOAD_TYPE, OMS_PRE_1_0.
 */
export function parseOmsBundle(text: string): OmsBundle {
  if (text.length > maxBundleLength) throw new FastnessError('OMS_LIMIT', `It has ${text.length} characters.`);
  const json = parseJsonText(text, {
    schema: bundleSchema,
    maxLength: maxBundleLength,
    code: 'OMS_MALFORMED',
    what: 'The bundle',
  });
  const envelope = decodeDsse(json.dsseEnvelope, 'OMS_MALFORMED');
  if (envelope.payloadType !== statementPayloadType) throw new FastnessError('OMS_PAYLOAD_TYPE');
  readStatementType(envelope.payload);
  return { method: methodOf(json.verificationMaterial), envelope };
}

/** Which key signed: SHA-256 of its PEM in hex, or the DER certificates that lead to it, the signing one first. */
export type SignerMaterial = { readonly keyHint: string } | { readonly certificates: readonly Uint8Array[] };

/** The text of a bundle signed with a key or by certificate, as the reference tool (1.1) writes it. */
export function encodeOmsBundle(envelope: DsseEnvelope, signer: SignerMaterial): string {
  const material =
    'keyHint' in signer
      ? { publicKey: { hint: signer.keyHint } }
      : { x509CertificateChain: { certificates: signer.certificates.map((der) => ({ rawBytes: toBase64(der) })) } };
  return JSON.stringify({
    mediaType: bundleMediaType,
    verificationMaterial: { ...material, tlogEntries: [] },
    dsseEnvelope: encodeDsse(envelope),
  });
}

/**
 * The digest that names a release everywhere: SHA-256 (32 bytes) of the signed payload. It is taken without
 * verifying anything. Errors: those of `parseOmsBundle`.
 */
export function releaseDigestOf(bundleText: string): Promise<Uint8Array> {
  return sha256(parseOmsBundle(bundleText).envelope.payload);
}

function methodOf(material: z.infer<typeof bundleSchema>['verificationMaterial']): BundleMethod {
  const { publicKey, x509CertificateChain: chain, certificate } = material;
  if ([publicKey, chain, certificate].filter((each) => each !== undefined).length !== 1) {
    throw new FastnessError('OMS_MALFORMED', 'It needs exactly one kind of verification material.');
  }
  if (certificate !== undefined) return { kind: 'sigstore' };
  if (publicKey !== undefined) return { kind: 'key', keyHint: publicKey.hint ?? undefined };
  try {
    return { kind: 'certificate', certificates: (chain?.certificates ?? []).map((each) => fromBase64(each.rawBytes)) };
  } catch (cause) {
    throw new FastnessError('OMS_MALFORMED', 'A certificate is not in base64.', { cause });
  }
}
