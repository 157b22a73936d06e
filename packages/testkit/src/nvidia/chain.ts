import { toHex } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { basicConstraints, keyUsage, type ForgedExtension } from '../x509/extensions.ts';
import { sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNameFields } from '../x509/name.ts';

/** The levels of a device chain, in the order of evidence. */
export const nvidiaLevels = Object.freeze(['leaf', 'chip', 'provisioner', 'line', 'root'] as const);
export type NvidiaLevel = (typeof nvidiaLevels)[number];

/** The levels of the certificates of a reference document, in its order. */
export const rimLevels = Object.freeze(['signer', 'series', 'product', 'root'] as const);
export type RimLevel = (typeof rimLevels)[number];

/** A forged chain: genuine in format, worthless as proof unless a test pins its root. */
export interface ForgedNvidiaChain<Level extends string> {
  readonly names: Readonly<Record<Level, ForgedNameFields>>;
  readonly keys: Readonly<Record<Level, ForgedKeys>>;
  readonly serials: Readonly<Record<Level, bigint>>;
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[];
  /** The pin of the root: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly rootSpkiSha256: string;
  /** SHA-256 of the root certificate, hex. */
  readonly rootCertificateSha256: string;
}

type ForgedLevels<Level extends string> = Readonly<Partial<Record<Level, Partial<ForgeCertificateOptions>>>>;

export interface ForgeNvidiaChainOptions {
  readonly now: Date;
  /** Default: GH100. */
  readonly chip?: string;
  /** Serial number of the chip's certificate. */
  readonly chipSerial?: bigint;
  /** Serial number of the leaf. */
  readonly leafSerial?: bigint;
  /** Firmware identity in the leaf. Default: {@link forgedFwid}. */
  readonly fwid?: Uint8Array;
  /** Default: by the chip, as NVIDIA does. */
  readonly fwidStyle?: 'composite-device-id' | 'dice-tcb-info';
  /** Operational flags of DiceTcbInfo, by number. Default: notConfigured and fixedWidth, as recorded. */
  readonly flags?: readonly number[];
  /** Replaces what certificates are forged with; use it to make exactly one thing wrong. */
  readonly levels?: ForgedLevels<NvidiaLevel>;
}

const YEAR = 366 * 86_400_000;
const FOREVER = new Date('9999-12-31T23:59:59Z');
/** The firmware identity of forged devices. */
export const forgedFwid = new Uint8Array(48).fill(0xf1);

export function nvidiaName(commonName: string): ForgedNameFields {
  return { country: 'US', organization: 'NVIDIA Corporation', commonName };
}

/** Forges root, product line, provisioner, chip and the leaf that signs reports, all of them P-384. */
export async function forgeNvidiaChain(options: ForgeNvidiaChainOptions): Promise<ForgedNvidiaChain<NvidiaLevel>> {
  const { now, chip = 'GH100', chipSerial = 0x41_0011_2233_4455_6677n, leafSerial = 0x45_5472_bb69n } = options;
  return forgeChain({
    levels: nvidiaLevels,
    names: {
      leaf: nvidiaName(`${chip} A01 GSP FMC LF`),
      chip: nvidiaName(`${chip} A01 GSP BROM`),
      provisioner: nvidiaName(`NVIDIA ${chip} Provisioner ICA 1`),
      line: nvidiaName(`NVIDIA ${chip} Identity`),
      root: nvidiaName('NVIDIA Device Identity CA'),
    },
    serials: { leaf: leafSerial, chip: chipSerial, provisioner: 3n, line: 4n, root: 5n },
    validity: () => ({ notBefore: new Date(now.getTime() - 2 * YEAR), notAfter: FOREVER }),
    extensions: {
      leaf: [keyUsage('digitalSignature'), deviceName(chip), firmwareIdentity(chip, options)],
      chip: [basicConstraints({ ca: true }), keyUsage('keyCertSign')],
    },
    changes: options.levels ?? {},
  });
}

export interface ForgeRimChainOptions {
  readonly now: Date;
  readonly levels?: ForgedLevels<RimLevel>;
}

/** Forges the root, product and series authority and the signer of reference documents, all of them P-384. */
export async function forgeRimChain({ now, levels = {} }: ForgeRimChainOptions): Promise<ForgedNvidiaChain<RimLevel>> {
  const years: Readonly<Record<RimLevel, number>> = { signer: 1, series: 2, product: 5, root: 20 };
  return forgeChain({
    levels: rimLevels,
    names: {
      signer: nvidiaName('HCC RIM L4 Signer'),
      series: nvidiaName('NVIDIA Reference Value L3 GH100 001'),
      product: nvidiaName('NVIDIA Reference Value GH100 CA'),
      root: nvidiaName('NVIDIA CoRIM signing Root CA'),
    },
    serials: { signer: 11n, series: 12n, product: 13n, root: 14n },
    validity: (level) => ({
      notBefore: new Date(now.getTime() - YEAR),
      notAfter: new Date(now.getTime() + years[level] * YEAR),
    }),
    extensions: {
      signer: [basicConstraints({ ca: false }), keyUsage('digitalSignature')],
      series: [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign', 'cRLSign')],
    },
    changes: levels,
  });
}

/** Chip and identifier as DMTF wants them, in the alternative names. */
export function deviceName(chip: string, prefix = 'NVIDIA'): ForgedExtension {
  const text = der.utf8String(`${prefix}:${chip}:48B02D7A7CD27FC3`);
  const other = der.explicit(0, der.oid('1.3.6.1.4.1.412.274.1'), der.explicit(0, text));
  return { oid: '2.5.29.17', value: der.sequence(other) };
}

/** The firmware identity in one of the two forms that NVIDIA uses. */
export function firmwareIdentity(
  chip: string,
  options: Pick<ForgeNvidiaChainOptions, 'fwid' | 'fwidStyle' | 'flags'>,
): ForgedExtension {
  const { fwid = forgedFwid, fwidStyle = chip.startsWith('GB') ? 'dice-tcb-info' : 'composite-device-id' } = options;
  const { flags = [0, 31] } = options;
  const identity = der.sequence(der.oid('2.16.840.1.101.3.4.2.2'), der.octetString(fwid));
  if (fwidStyle === 'composite-device-id') {
    return { oid: '2.23.133.5.4.1', value: der.sequence(der.integer(1), der.sequence(), identity) };
  }
  const bits = new Uint8Array(5);
  for (const flag of flags) bits[1 + (flag >> 3)] = (bits[1 + (flag >> 3)] ?? 0) | (0x80 >> (flag & 7));
  const value = der.sequence(
    der.implicit(0, new TextEncoder().encode('NVIDIA')),
    der.implicit(1, new TextEncoder().encode(`${chip} A01 GSP`)),
    der.explicit(6, identity, identity),
    der.implicit(7, bits),
  );
  return { oid: '2.23.133.5.4.1.1', value };
}

async function forgeChain<Level extends string>(options: {
  readonly levels: readonly Level[];
  readonly names: Readonly<Record<Level, ForgedNameFields>>;
  readonly serials: Readonly<Record<Level, bigint>>;
  readonly validity: (level: Level) => { readonly notBefore: Date; readonly notAfter: Date };
  /** Default: those of an authority. */
  readonly extensions: Readonly<Partial<Record<Level, readonly ForgedExtension[]>>>;
  readonly changes: ForgedLevels<Level>;
}): Promise<ForgedNvidiaChain<Level>> {
  const { levels, names, serials, validity, changes } = options;
  const authority = [basicConstraints({ ca: true }), keyUsage('keyCertSign', 'cRLSign')];
  const pairs = await Promise.all(levels.map(async (level) => sharedKeys(`NVIDIA ${levels.length} ${level}`, 'p-384')));
  const keyOf = (place: number): ForgedKeys => {
    const pair = pairs[place];
    if (pair === undefined) throw new RangeError(`No level ${place}.`);
    return pair;
  };
  const certificates = await Promise.all(
    levels.map(async (level, place) => {
      const above = levels[place + 1];
      return forgeCertificate({
        subject: names[level],
        keys: keyOf(place),
        ...(above === undefined ? {} : { issuer: { name: names[above], keys: keyOf(place + 1) } }),
        validity: validity(level),
        serial: serials[level],
        extensions: options.extensions[level] ?? authority,
        ...changes[level],
      });
    }),
  );
  const root = certificates.at(-1) ?? new Uint8Array();
  // Every level has its key: the record is built from the same list.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const keys = Object.fromEntries(levels.map((level, place) => [level, keyOf(place)])) as Record<Level, ForgedKeys>;
  return {
    names,
    keys,
    serials,
    certificates,
    rootSpkiSha256: await sha256Hex(keyOf(levels.length - 1).spki),
    rootCertificateSha256: await sha256Hex(root),
  };
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
}
