import type { CborKey, CborValue } from '@fastness/codec/cbor';

/** A tagged identifier of a class or an instance. `key`: one of the ways to identify an instance by a key; not read further. */
export interface CorimIdentifier {
  readonly kind: 'oid' | 'uuid' | 'bytes' | 'ueid' | 'key';
  /** Content of the identifier; for an OID its DER content. Empty for `key`. */
  readonly value: Uint8Array;
}

/** What a triple is about (draft-ietf-rats-corim, section 5.1.4.1). */
export interface CorimEnvironment {
  readonly class?: {
    readonly id?: CorimIdentifier;
    readonly vendor?: string;
    readonly model?: string;
    readonly layer?: number;
    readonly index?: number;
  };
  readonly instance?: CorimIdentifier;
  readonly group?: CorimIdentifier;
}

/** Ways to write a key or name it by a digest (section 5.1.4.6). */
export type CorimKeyKind =
  | 'pkix-key'
  | 'pkix-certificate'
  | 'pkix-path'
  | 'key-thumbprint'
  | 'cose-key'
  | 'certificate-thumbprint'
  | 'bytes'
  | 'path-thumbprint'
  | 'der-certificate';

export interface CorimKey {
  readonly kind: CorimKeyKind;
  /** As it stands: PEM text, bytes, or a structure. */
  readonly value: CborValue;
}

export interface CorimDigest {
  /** Name in the IANA Named Information registry. */
  readonly algorithm: string;
  readonly value: Uint8Array;
}

/** The values of one measured element. Those that are not read stand in `others`, by their key. */
export interface CorimValues {
  readonly version?: { readonly text: string; readonly scheme?: CborValue };
  readonly digests?: readonly CorimDigest[];
  readonly rawValue?: { readonly value: Uint8Array; readonly mask?: Uint8Array };
  readonly name?: string;
  readonly keys?: readonly CorimKey[];
  readonly integer?: number;
  readonly others: ReadonlyMap<CborKey, CborValue>;
}

export interface CorimMeasurement {
  /** Names the measured element. Absent: anonymous. */
  readonly key?: string | number | CorimIdentifier;
  readonly values: CorimValues;
  /** Whether it is tied to authorities of its own (`authorized-by`), which are not read. */
  readonly authorized: boolean;
}

/** Reference values or endorsed values of one environment: one state of it. */
export interface CorimValueTriple {
  readonly environment: CorimEnvironment;
  readonly measurements: readonly CorimMeasurement[];
}

/** Keys that are endorsed for one environment. */
export interface CorimKeyTriple {
  readonly environment: CorimEnvironment;
  readonly keys: readonly CorimKey[];
  /** Whether conditions are attached, which are not read. */
  readonly conditional: boolean;
}

/** A concise module identifier: one tag of a manifest. */
export interface Comid {
  /** Text, or a UUID as hex. */
  readonly id: string;
  readonly version: number;
  readonly references: readonly CorimValueTriple[];
  readonly endorsed: readonly CorimValueTriple[];
  readonly identityKeys: readonly CorimKeyTriple[];
  readonly attestKeys: readonly CorimKeyTriple[];
  /** Kinds of triples that are there and were not read, by their number: they only ever add claims. */
  readonly unread: readonly string[];
}

/** A manifest. Reading one proves nothing: see `openCorim`. */
export interface Corim {
  /** Text, or a UUID as hex. */
  readonly id: string;
  /** A URI, or `oid:` and the DER content of an OID in hex. Absent: the base profile. */
  readonly profile?: string;
  readonly validity?: CorimValidity;
  readonly comids: readonly Comid[];
}

/** Seconds since 1970, both ends included. */
export interface CorimValidity {
  readonly notBefore?: number;
  readonly notAfter: number;
}
