import { toHex } from '@fastness/codec';
import { DerReader, readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import { readOnce, type VerificationMeans } from '../../means.ts';

/** Root of the extensions in PCK certificates (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5). */
const SGX_EXTENSIONS = '1.2.840.113741.1.13.1';

/** What Intel certifies about a platform in its PCK certificate. Hex is lower-case. */
export interface PckFacts {
  /** Platform provisioning id, 16 bytes: names one platform. */
  readonly ppid: string;
  /** Family, model, stepping, platform type, custom SKU: 6 bytes. */
  readonly fmspc: string;
  readonly pceId: string;
  readonly pceSvn: number;
  /** The CPUSVN that the certificate is for, 16 bytes, hex. */
  readonly cpuSvn: string;
  /** The 16 component SVNs. */
  readonly components: readonly number[];
}

/** Reads the SGX extensions of a PCK certificate. Throws DCAP_PCK_EXTENSION. */
export function readPckFacts(certificate: Certificate, means: VerificationMeans = {}): PckFacts {
  const extension = certificate.extensions.get(SGX_EXTENSIONS);
  if (extension === undefined) throw new FastnessError('DCAP_PCK_EXTENSION', 'The certificate has none.');
  return readOnce('pck-extension', extension.value, readExtension, means);
}

function readExtension(value: Uint8Array): PckFacts {
  try {
    const members = readMembers(value);
    const tcb = readTcb(member(members, 2));
    return Object.freeze({
      ppid: octets(member(members, 1), 16),
      pceId: octets(member(members, 3), 2),
      fmspc: octets(member(members, 4), 6),
      ...tcb,
    });
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'DCAP_PCK_EXTENSION') throw cause;
    throw new FastnessError('DCAP_PCK_EXTENSION', 'Not the DER that the profile describes.', { cause });
  }
}

/** SEQUENCE OF SEQUENCE { OID below `prefix`, value }: the raw value by the last arc of its name. */
function readMembers(value: Uint8Array, prefix: string = SGX_EXTENSIONS): Map<number, Uint8Array> {
  const members = new Map<number, Uint8Array>();
  readDerSequence(value, (list) => {
    while (list.remaining > 0) {
      const pair = list.sequence();
      const oid = pair.oid();
      const arc = Number(oid.slice(prefix.length + 1));
      if (!oid.startsWith(`${prefix}.`) || !Number.isInteger(arc) || members.has(arc)) throw wrong(`member ${oid}`);
      members.set(arc, pair.element().raw);
      pair.end();
    }
  });
  return members;
}

function readTcb(value: Uint8Array): Pick<PckFacts, 'components' | 'pceSvn' | 'cpuSvn'> {
  const members = readMembers(value, `${SGX_EXTENSIONS}.2`);
  const components = Array.from({ length: 16 }, (_, index) => integer(member(members, index + 1)));
  if (components.some((component) => component > 255)) throw wrong('a component above 255');
  return {
    components: Object.freeze(components),
    pceSvn: integer(member(members, 17)),
    cpuSvn: octets(member(members, 18), 16),
  };
}

function member(members: ReadonlyMap<number, Uint8Array>, arc: number): Uint8Array {
  const value = members.get(arc);
  if (value === undefined) throw wrong(`no member ${arc}`);
  return value;
}

function octets(value: Uint8Array, bytes: number): string {
  const reader = new DerReader(value);
  const content = reader.octetString();
  reader.end();
  if (content.length !== bytes) throw wrong(`${content.length} bytes instead of ${bytes}`);
  return toHex(content);
}

function integer(value: Uint8Array): number {
  const reader = new DerReader(value);
  const number = reader.smallInteger();
  reader.end();
  return number;
}

function wrong(what: string): FastnessError {
  return new FastnessError('DCAP_PCK_EXTENSION', `Found ${what}.`);
}
