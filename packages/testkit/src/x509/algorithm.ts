import { der } from '@fastness/codec/der';
import type { HashName, SignatureAlgorithm } from '@fastness/codec/x509';

const hashOids: Readonly<Record<HashName, string>> = {
  'SHA-256': '2.16.840.1.101.3.4.2.1',
  'SHA-384': '2.16.840.1.101.3.4.2.2',
  'SHA-512': '2.16.840.1.101.3.4.2.3',
};
const ecdsaOids: Readonly<Record<HashName, string>> = {
  'SHA-256': '1.2.840.10045.4.3.2',
  'SHA-384': '1.2.840.10045.4.3.3',
  'SHA-512': '1.2.840.10045.4.3.4',
};
const rsaPkcs1Oids: Readonly<Record<HashName, string>> = {
  'SHA-256': '1.2.840.113549.1.1.11',
  'SHA-384': '1.2.840.113549.1.1.12',
  'SHA-512': '1.2.840.113549.1.1.13',
};

/** The AlgorithmIdentifier of a signature algorithm, with the parameters of RSA-PSS as AMD writes them. */
export function encodeAlgorithm(algorithm: SignatureAlgorithm): Uint8Array {
  switch (algorithm.kind) {
    case 'ecdsa':
      return der.sequence(der.oid(ecdsaOids[algorithm.hash]));
    case 'rsa-pkcs1':
      return der.sequence(der.oid(rsaPkcs1Oids[algorithm.hash]), der.null());
    case 'rsa-pss': {
      const hash = der.sequence(der.oid(hashOids[algorithm.hash]), der.null());
      const mask = der.sequence(der.oid('1.2.840.113549.1.1.8'), hash);
      const salt = der.integer(algorithm.saltLength);
      const parameters = der.sequence(der.explicit(0, hash), der.explicit(1, mask), der.explicit(2, salt));
      return der.sequence(der.oid('1.2.840.113549.1.1.10'), parameters);
    }
    case 'ed25519':
      break;
  }
  return der.sequence(der.oid('1.3.101.112'));
}
