import { DerReader, derTags, readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { GceInstance } from '../../claims/gcp-vtpm.ts';
import { INSTANCE_INFO_OID, MAX_NAME } from './layout.ts';

/** What the extension says; whoever signed the certificate vouches for it. */
export interface InstanceInfo extends GceInstance {
  /** Whether Google's production environment issued the key. */
  readonly production: boolean;
}

/**
 * Reads the instance of an attestation key: SEQUENCE {zone, project number, project id, instance id, instance name, ? [0]
 * {? [0] security version, ? [1] production, ...}} as go-tpm-tools reads it (server/verify.go). Further properties are not
 * interpreted. Throws GCP_VTPM_INSTANCE_INFO.
 */
export function readInstanceInfo({ extensions }: Certificate, checks: Checklist): InstanceInfo {
  const value = extensions.get(INSTANCE_INFO_OID)?.value;
  const info = value === undefined ? undefined : tryRead(value);
  checks.require('GCP_VTPM_INSTANCE_INFO', info !== undefined, {
    expected: 'the zone, project and instance that the key belongs to',
    actual: value === undefined ? 'a certificate without them' : info === undefined ? 'another content' : 'such',
  });
  return info;
}

function tryRead(value: Uint8Array): InstanceInfo | undefined {
  try {
    return readDerSequence(value, (fields) => {
      const zone = name(fields);
      const projectNumber = decimal(fields);
      const projectId = name(fields);
      const instanceId = decimal(fields);
      const instanceName = name(fields);
      const properties = fields.explicit(0);
      return Object.freeze({ zone, projectNumber, projectId, instanceId, instanceName, ...readProperties(properties) });
    });
  } catch (error) {
    if (error instanceof FastnessError && error.code.startsWith('CODEC_')) return undefined;
    throw error;
  }
}

function readProperties(outer: DerReader | undefined): Pick<InstanceInfo, 'securityVersion' | 'production'> {
  if (outer === undefined) return { securityVersion: '0', production: false };
  const fields = outer.sequence();
  outer.end();
  const version = fields.explicit(0);
  const securityVersion = version === undefined ? '0' : decimal(version);
  version?.end();
  const flag = fields.explicit(1);
  const production = flag?.boolean() === true;
  flag?.end();
  while (fields.remaining > 0) fields.element();
  return { securityVersion, production };
}

function name(fields: DerReader): string {
  const reader = new DerReader(fields.expect(derTags.utf8String).raw);
  const text = reader.text();
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > MAX_NAME) throw new FastnessError('CODEC_VALUE', 'A name.');
  return text;
}

/** An INTEGER that is not negative, as decimal text: instance ids have 64 bits. */
function decimal(fields: DerReader): string {
  const bytes = fields.integer();
  if ((bytes[0] ?? 0) >= 0x80 || bytes.length > 9) throw new FastnessError('CODEC_VALUE', 'A number.');
  return `${bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n)}`;
}
