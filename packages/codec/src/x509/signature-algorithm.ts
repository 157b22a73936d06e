import { DerReader, type DerElement } from '../der/reader.ts';
import { FastnessError } from '../errors/index.ts';

export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512';

/** A signature algorithm with its parameters; `saltLength` in bytes. */
export type SignatureAlgorithm =
  | { readonly kind: 'ecdsa'; readonly hash: HashName }
  | { readonly kind: 'rsa-pss'; readonly hash: HashName; readonly saltLength: number }
  | { readonly kind: 'rsa-pkcs1'; readonly hash: HashName }
  | { readonly kind: 'ed25519' };

const hashOids: Readonly<Record<HashName, string>> = Object.freeze({
  'SHA-256': '2.16.840.1.101.3.4.2.1',
  'SHA-384': '2.16.840.1.101.3.4.2.2',
  'SHA-512': '2.16.840.1.101.3.4.2.3',
});

const hashBytes: Readonly<Record<HashName, number>> = Object.freeze({
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
});

const rsaPssOid = '1.2.840.113549.1.1.10';
const mgf1Oid = '1.2.840.113549.1.1.8';

/** Object identifiers of the algorithms whose parameters are fixed; RSA-PSS carries its own. */
const fixedAlgorithms: ReadonlyMap<string, { algorithm: SignatureAlgorithm; parameters: 'absent' | 'null' }> = new Map([
  ['1.2.840.10045.4.3.2', { algorithm: { kind: 'ecdsa', hash: 'SHA-256' }, parameters: 'absent' }],
  ['1.2.840.10045.4.3.3', { algorithm: { kind: 'ecdsa', hash: 'SHA-384' }, parameters: 'absent' }],
  ['1.2.840.10045.4.3.4', { algorithm: { kind: 'ecdsa', hash: 'SHA-512' }, parameters: 'absent' }],
  ['1.2.840.113549.1.1.11', { algorithm: { kind: 'rsa-pkcs1', hash: 'SHA-256' }, parameters: 'null' }],
  ['1.2.840.113549.1.1.12', { algorithm: { kind: 'rsa-pkcs1', hash: 'SHA-384' }, parameters: 'null' }],
  ['1.2.840.113549.1.1.13', { algorithm: { kind: 'rsa-pkcs1', hash: 'SHA-512' }, parameters: 'null' }],
  ['1.3.101.112', { algorithm: { kind: 'ed25519' }, parameters: 'absent' }],
]);

/**
 * Reads an AlgorithmIdentifier of a signature (RFC 5758, 8017, 8410). RSA-PSS is accepted when its mask generation
 * uses the same SHA-2 hash and the salt is as long as that hash, as RFC 4055 recommends and AMD does; the default
 * trailer field may be written out, as older AMD certificates do.
 * @throws X509_ALGORITHM for every other algorithm, SHA-1 included.
 */
export function readSignatureAlgorithm(element: DerElement): SignatureAlgorithm {
  const fields = new DerReader(element.content);
  const oid = fields.oid();
  if (oid === rsaPssOid) {
    const algorithm = readPssParameters(fields.sequence());
    fields.end();
    return algorithm;
  }
  const known = fixedAlgorithms.get(oid);
  if (known === undefined) throw new FastnessError('X509_ALGORITHM', `Algorithm ${oid}.`);
  if (known.parameters === 'null') fields.null();
  fields.end();
  return known.algorithm;
}

function readPssParameters(fields: DerReader): SignatureAlgorithm {
  const hashField = fields.explicit(0);
  const maskField = fields.explicit(1);
  const saltField = fields.explicit(2);
  const trailerField = fields.explicit(3);
  fields.end();
  // Absent fields mean SHA-1 or a salt of 20 bytes.
  if (hashField === undefined || maskField === undefined || saltField === undefined) {
    throw new FastnessError('X509_ALGORITHM', 'RSA-PSS with the parameters of SHA-1.');
  }
  const hash = readHash(hashField.sequence());
  hashField.end();
  const mask = maskField.sequence();
  maskField.end();
  const generator = mask.oid();
  const maskHash = readHash(mask.sequence());
  mask.end();
  const saltLength = saltField.smallInteger();
  saltField.end();
  if (generator !== mgf1Oid || maskHash !== hash || saltLength !== hashBytes[hash]) {
    throw new FastnessError('X509_ALGORITHM', 'RSA-PSS with unusual parameters.');
  }
  if (trailerField !== undefined) {
    if (trailerField.smallInteger() !== 1) throw new FastnessError('X509_ALGORITHM', 'RSA-PSS with another trailer.');
    trailerField.end();
  }
  return { kind: 'rsa-pss', hash, saltLength };
}

function readHash(fields: DerReader): HashName {
  const oid = fields.oid();
  if (fields.remaining > 0) fields.null();
  fields.end();
  for (const hash of ['SHA-256', 'SHA-384', 'SHA-512'] as const) if (hashOids[hash] === oid) return hash;
  throw new FastnessError('X509_ALGORITHM', `Hash ${oid}.`);
}
