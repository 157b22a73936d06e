/**
 * Columns as kysely sees them. Only text and integers, so that another dialect needs no other types: times are
 * ISO 8601 in UTC with milliseconds (they sort as text), digests are lower-case hex, flags are 0 or 1. A dialect whose driver
 * gives 64-bit integers as text must be told to give numbers; all of them here stay below 2^53.
 */
export interface BrokerTables {
  /** Nonces that wait for their answer, by SHA-256: reading the database answers no challenge. */
  challenges: { nonce_digest: string; issued_at: string; expires_at: string };
  /** Nonces that were answered, kept a while to tell "used" from "never issued". */
  spent_challenges: { nonce_digest: string; spent_at: string };
  releases: {
    release_digest: string;
    model_id: string;
    version: number;
    /** The release package as it was registered (JSON); verified again each time it is used. */
    package: string;
    /** keys.json as it was registered: the wrapped root key. */
    keys: string;
    registered_at: string;
  };
  /** The version of a model that supersedes all lower ones. Never lowered. */
  model_versions: { model_id: string; highest_version: number };
  leases: {
    lease_id: string;
    release_digest: string;
    key_config_digest: string;
    tee: string;
    simulated: number;
    measurement: string;
    platform: string;
    issued_at: string;
    renewed_at: string;
    expires_at: string;
    renewals: number;
  };
  revocations: { kind: string; value: string; reason: string; revoked_at: string };
  /** One row for each broker of this database: the last entry of its log that a transaction depends on. */
  audit_heads: { instance: string; seq: number; hash: string; holder: string };
}
