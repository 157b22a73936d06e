import { concatBytes, equalBytes, utf8Encode } from '@fastness/codec';
import { der, DerReader } from '@fastness/codec/der';
import { importSpki, parseCertificate, parseCrl, verifySignedBy } from '@fastness/codec/x509';
import {
  basicConstraints,
  encodeAlgorithm,
  keyUsage,
  sharedKeys,
  type ForgeCertificateOptions,
  type ForgedKeyKind,
} from '@fastness/testkit';
import { describe, expect, test } from 'vitest';
import { expectCode, fuzz } from './support.ts';
import { authority, caExtensions, issue, leafKeys, list, now, rsa, validity } from './x509-fixture.ts';

const raw = (...elements: readonly Uint8Array[]) => ({
  innerAlgorithm: concatBytes(...elements),
  outerAlgorithm: concatBytes(...elements),
});
const pss = (...fields: readonly Uint8Array[]) =>
  raw(der.sequence(der.oid('1.2.840.113549.1.1.10'), der.sequence(...fields)));
const sha = (hash: 256 | 384) => der.sequence(der.oid(`2.16.840.1.101.3.4.2.${hash === 256 ? 1 : 2}`), der.null());
const mgf1 = (hash: 256 | 384) => der.sequence(der.oid('1.2.840.113549.1.1.8'), sha(hash));

describe('certificates of every kind of key', () => {
  const kinds: ForgedKeyKind[] = ['rsa-2048', 'p-256', 'p-384', 'p-521', 'ed25519'];
  test.each(kinds)('%s signs and is verified', async (kind) => {
    const keys = await sharedKeys('issuer', kind);
    const root = await authority({ keys });
    const child = parseCertificate(await issue({ issuer: { name: 'CA', keys } }));
    await verifySignedBy(root, root);
    await verifySignedBy(child, root);
    const broken = { ...child, signature: child.signature.map((byte, index) => (index === 20 ? byte ^ 4 : byte)) };
    await expectCode('X509_SIGNATURE', () => verifySignedBy(broken, root));
    await expectCode('X509_SIGNATURE', () => verifySignedBy({ ...child, tbs: root.tbs }, root));
  });
  test.each(['SHA-256', 'SHA-384', 'SHA-512'] as const)('RSA with %s in both schemes', async (hash) => {
    const root = await authority({ keys: rsa });
    for (const signatureAlgorithm of [
      { kind: 'rsa-pkcs1', hash } as const,
      { kind: 'rsa-pss', hash, saltLength: { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 }[hash] } as const,
    ]) {
      const child = parseCertificate(await issue({ issuer: { name: 'CA', keys: rsa }, signatureAlgorithm }));
      expect(child.signatureAlgorithm).toEqual(signatureAlgorithm);
      await verifySignedBy(child, root);
    }
  });

  test('states what it read', async () => {
    const certificate = parseCertificate(
      await issue({
        serial: 0,
        extensions: [
          basicConstraints({ ca: true, pathLength: 1 }),
          keyUsage('digitalSignature', 'decipherOnly'),
          { oid: '1.2.3', value: Uint8Array.of(9) },
        ],
      }),
    );
    expect(certificate).toMatchObject({
      version: 3,
      serial: Uint8Array.of(0),
      issuer: { commonName: 'CA' },
      subject: { commonName: 'leaf' },
      ...validity,
      publicKey: { algorithm: 'EC', curve: 'P-256' },
      basicConstraints: { ca: true, pathLength: 1 },
      keyUsage: new Set(['digitalSignature', 'decipherOnly']),
      signatureAlgorithm: { kind: 'ecdsa', hash: 'SHA-384' },
    });
    expect(certificate.extensions.get('1.2.3')).toEqual({ critical: false, value: Uint8Array.of(9) });
    expect(equalBytes(certificate.spki, leafKeys.spki)).toBe(true);
    expect((await authority({ keys: rsa })).publicKey).toEqual({ algorithm: 'RSA', modulusBits: 2048 });
  });
});

describe('certificate strictness', () => {
  const bad = async (
    changes: Partial<ForgeCertificateOptions>,
    code: Parameters<typeof expectCode>[0],
  ): Promise<void> => {
    const bytes = await issue(changes);
    await expectCode(code, () => parseCertificate(bytes));
  };
  const basic = (...fields: readonly Uint8Array[]) => ({
    extensions: [{ oid: '2.5.29.19', value: der.sequence(...fields) }],
  });
  const usage = (value: Uint8Array) => ({ extensions: [{ oid: '2.5.29.15', value }] });
  const extension = { oid: '1.2.3', value: new Uint8Array() };
  const point = (curve: string, bytes: Uint8Array) => ({
    ...leafKeys,
    spki: der.sequence(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid(curve)), der.bitString(bytes)),
  });
  const rsaKey = (modulus: bigint, exponent: bigint) => ({
    ...leafKeys,
    spki: der.sequence(
      der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null()),
      der.bitString(der.sequence(der.integer(modulus), der.integer(exponent))),
    ),
  });
  const name = (...texts: readonly Uint8Array[]) =>
    der.sequence(...texts.map((text) => der.set(der.sequence(der.oid('2.5.4.3'), text))));

  test.each([
    ['version 1', { version: 0 }, 'X509_VERSION'],
    ['a negative serial', { serial: -1 }, 'X509_SERIAL'],
    ['a serial of 21 bytes', { serial: 2n ** 160n }, 'X509_SERIAL'],
    ['SHA-1', { tamper: raw(der.sequence(der.oid('1.2.840.113549.1.1.5'), der.null())) }, 'X509_ALGORITHM'],
    ['RSA-PSS with its defaults', { tamper: pss() }, 'X509_ALGORITHM'],
    [
      'RSA-PSS of two hashes',
      { tamper: pss(der.explicit(0, sha(384)), der.explicit(1, mgf1(256)), der.explicit(2, der.integer(48))) },
      'X509_ALGORITHM',
    ],
    [
      'RSA-PSS with another salt',
      { tamper: pss(der.explicit(0, sha(384)), der.explicit(1, mgf1(384)), der.explicit(2, der.integer(20))) },
      'X509_ALGORITHM',
    ],
    [
      'RSA-PSS with another trailer',
      {
        tamper: pss(
          der.explicit(0, sha(384)),
          der.explicit(1, mgf1(384)),
          der.explicit(2, der.integer(48)),
          der.explicit(3, der.integer(2)),
        ),
      },
      'X509_ALGORITHM',
    ],
    [
      'another mask generation',
      {
        tamper: pss(
          der.explicit(0, sha(384)),
          der.explicit(1, der.sequence(der.oid('1.2.3'), sha(384))),
          der.explicit(2, der.integer(48)),
        ),
      },
      'X509_ALGORITHM',
    ],
    [
      'parameters of ECDSA',
      { tamper: raw(der.sequence(der.oid('1.2.840.10045.4.3.3'), der.null())) },
      'CODEC_TRAILING',
    ],
    ['no parameters of RSA', { tamper: raw(der.sequence(der.oid('1.2.840.113549.1.1.11'))) }, 'CODEC_TRUNCATED'],
    ['two algorithms', { tamper: { innerAlgorithm: encodeAlgorithm({ kind: 'ed25519' }) } }, 'X509_ALGORITHM_MISMATCH'],
    ['an extension twice', { extensions: [extension, extension] }, 'X509_DUPLICATE_EXTENSION'],
    [
      '65 extensions',
      { extensions: Array.from({ length: 65 }, (_, index) => ({ ...extension, oid: `1.2.${index}` })) },
      'CODEC_LIMIT',
    ],
    ['a path length without an authority', basic(der.integer(1)), 'X509_EXTENSION'],
    ['a written-out FALSE', basic(der.boolean(false)), 'CODEC_NOT_CANONICAL'],
    ['trailing basic constraints', basic(der.boolean(true), der.integer(1), der.null()), 'CODEC_TRAILING'],
    ['no key usage at all', usage(der.namedBits([])), 'X509_EXTENSION'],
    ['an unknown key usage', usage(der.namedBits([...Array.from({ length: 9 }, () => false), true])), 'X509_EXTENSION'],
    ['bytes after the key usage', usage(concatBytes(der.namedBits([true]), der.null())), 'CODEC_TRAILING'],
    ['two common names', { subject: name(der.utf8String('a'), der.utf8String('b')) }, 'CODEC_MALFORMED'],
    ['a common name of another type', { subject: name(der.tagged(0x1e, utf8Encode('a'))) }, 'CODEC_UNSUPPORTED'],
    [
      'a name of 33 attributes',
      {
        subject: der.sequence(
          ...Array.from({ length: 33 }, () => der.set(der.sequence(der.oid('2.5.4.10'), der.utf8String('a')))),
        ),
      },
      'CODEC_LIMIT',
    ],
    ['an empty set in a name', { subject: der.sequence(der.set()) }, 'CODEC_TRUNCATED'],
    [
      'a compressed point',
      {
        keys: point(
          '1.2.840.10045.3.1.7',
          Uint8Array.from({ length: 33 }, () => 2),
        ),
      },
      'X509_KEY',
    ],
    [
      'a point of another curve',
      {
        keys: point(
          '1.3.132.0.34',
          Uint8Array.from({ length: 65 }, () => 4),
        ),
      },
      'X509_KEY',
    ],
    ['an even RSA exponent', { keys: rsaKey(2n ** 2047n + 1n, 2n) }, 'X509_KEY'],
    ['an RSA exponent of 1', { keys: rsaKey(2n ** 2047n + 1n, 1n) }, 'X509_KEY'],
    ['a negative RSA modulus', { keys: rsaKey(-(2n ** 2047n), 3n) }, 'X509_KEY'],
    [
      'a short Ed25519 key',
      {
        keys: {
          ...leafKeys,
          spki: der.sequence(der.sequence(der.oid('1.3.101.112')), der.bitString(new Uint8Array(31))),
        },
      },
      'X509_KEY',
    ],
    ['much', { extensions: [{ ...extension, value: new Uint8Array(65_536) }] }, 'CODEC_LIMIT'],
  ] as const)('refuses %s', async (_, changes, code) => bad(changes, code));

  test('refuses bytes after the certificate and unique identifiers', async () => {
    const bytes = await issue();
    await expectCode('CODEC_TRAILING', () => parseCertificate(concatBytes(bytes, Uint8Array.of(0))));
    await expectCode('CODEC_TRUNCATED', () => parseCertificate(bytes.subarray(0, -1)));
    const withUniqueId = (tbs: Uint8Array) =>
      der.sequence(new DerReader(tbs).element().content, der.implicit(1, Uint8Array.of(0, 1)));
    await bad({ tamper: { beforeSigning: withUniqueId } }, 'CODEC_TRAILING');
  });
  test('a written-out trailer of RSA-PSS is read, as AMD writes it', async () => {
    const keys = rsa;
    const fields = [
      der.explicit(0, sha(384)),
      der.explicit(1, mgf1(384)),
      der.explicit(2, der.integer(48)),
      der.explicit(3, der.integer(1)),
    ];
    const child = parseCertificate(await issue({ issuer: { name: 'CA', keys }, tamper: pss(...fields) }));
    await verifySignedBy(child, await authority({ keys }));
  });
  test('keys outside the subset parse but cannot be imported', async () => {
    const keys = point(
      '1.3.132.0.10',
      Uint8Array.from({ length: 65 }, () => 4),
    );
    const certificate = parseCertificate(await issue({ keys }));
    expect(certificate.publicKey).toEqual({ algorithm: 'unknown', oid: '1.3.132.0.10' });
    await expectCode('X509_KEY', () => importSpki(certificate));
    const off = parseCertificate(
      await issue({
        keys: point(
          '1.2.840.10045.3.1.7',
          Uint8Array.from({ length: 65 }, () => 4),
        ),
      }),
    );
    await expectCode('X509_KEY', () => importSpki(off));
    for (const bits of [1024n, 16_384n]) {
      const size = parseCertificate(await issue({ keys: rsaKey(2n ** (bits - 1n) + 1n, 65_537n) }));
      await expectCode('X509_KEY', () => importSpki(size, { kind: 'rsa-pkcs1', hash: 'SHA-256' }));
    }
    await expectCode('X509_KEY', async () => importSpki(await authority({ keys: rsa })));
  });
  test('mutations end in a certificate or a typed error', async () => {
    const samples = [await issue({ extensions: caExtensions }), await issue({ issuer: { name: 'CA', keys: rsa } })];
    fuzz({ samples, rounds: 3000, parse: parseCertificate });
    fuzz({ samples: [await list({ revoked: [{ serial: 5, date: now, reason: 1 }] })], rounds: 3000, parse: parseCrl });
  });
});
