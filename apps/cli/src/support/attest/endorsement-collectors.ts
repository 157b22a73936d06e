import { CMW_ENDORSEMENTS, SIGNED_CORIM_TYPE, type Cmw, type Tee } from '@fastness/attest';
import { encodeAndroidStatus } from '@fastness/attest/formats/android-key';
import { encodeCrl, encodeKeySet } from '@fastness/attest/formats/azure-maa';
import { encodeNvidiaEndorsements } from '@fastness/attest/formats/nvidia';
import { encodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { encodeVtpmEndorsements } from '@fastness/attest/formats/tpm';
import { decodePem, utf8Decode } from '@fastness/codec';
import { parseCertificate, parseCrl } from '@fastness/codec/x509';
import { collateralOf } from './collateral-file.ts';
import { isObject } from './is-object.ts';
import { find, jsonOf } from './raw-hardware.ts';

export interface EndorsementFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** How the endorsements of some kinds of evidence come in files of their vendors, and into one envelope. */
interface EndorsementCollector {
  readonly tees: readonly Tee[];
  /** Whether a file may be one of them, by its beginning. What is in it is checked when evidence is verified. */
  readonly knows: (file: EndorsementFile) => boolean;
  readonly collect: (files: readonly EndorsementFile[]) => readonly Cmw[];
}

const tokens: readonly Tee[] = ['azure-maa', 'intel-trust-authority', 'gcp-confidential-space', 'nvidia-nras'];
const BRACE = 0x7b;

export const endorsementCollectors: readonly EndorsementCollector[] = Object.freeze([
  {
    tees: ['sev-snp', 'azure-vtpm'],
    knows: isCertificateFile,
    collect: (files) => [encodeSnpEndorsements(certificatesIn(files))],
  },
  {
    tees: ['tdx', 'sgx', 'azure-vtpm'],
    knows: ({ bytes }) => bytes[0] === BRACE,
    collect: (files) => files.map(({ bytes, path }) => collateralOf(bytes, path)),
  },
  {
    tees: ['gcp-vtpm', 'azure-vtpm'],
    knows: isCertificateFile,
    collect: (files) => [encodeVtpmEndorsements(certificatesIn(files))],
  },
  {
    tees: ['nvidia-gpu', 'nvidia-nvswitch'],
    // Reference documents are XML; OCSP responses are DER and no certificates.
    knows: ({ bytes }) => isXml(bytes) || (bytes[0] === 0x30 && !reads(() => parseCertificate(bytes))),
    collect: (files) => [
      encodeNvidiaEndorsements({
        rims: files.filter(({ bytes }) => isXml(bytes)).map(({ bytes }) => bytes),
        ocspResponses: files.filter(({ bytes }) => !isXml(bytes)).map(({ bytes }) => bytes),
      }),
    ],
  },
  {
    tees: ['android-key'],
    knows: ({ bytes }) => bytes[0] === BRACE && find(bytes, '"entries"'),
    collect: (files) => files.map(({ bytes }) => encodeAndroidStatus(bytes)),
  },
  {
    tees: tokens,
    knows: ({ bytes }) => {
      const value = bytes[0] === BRACE ? jsonOf(bytes) : undefined;
      return isObject(value) && Array.isArray(value['keys']);
    },
    collect: (files) => files.map(({ bytes }) => encodeKeySet(utf8Decode(bytes))),
  },
  {
    tees: tokens,
    knows: isCertificateFile,
    collect: (files) => certificatesIn(files).crls.map((crl) => encodeCrl(crl)),
  },
  {
    tees: ['arm-psa', 'arm-cca'],
    // COSE_Sign1 with its tag.
    knows: ({ bytes }) => bytes[0] === 0xd2,
    collect: (files) => files.map(({ bytes }) => ({ type: SIGNED_CORIM_TYPE, value: bytes, ind: CMW_ENDORSEMENTS })),
  },
] satisfies EndorsementCollector[]);

function isCertificateFile({ bytes }: EndorsementFile): boolean {
  return bytes[0] === 0x30 || find(bytes, '-----BEGIN CERTIFICATE-----') || find(bytes, '-----BEGIN X509 CRL-----');
}

/** Certificates and lists in DER or PEM, one or several in a file. */
function certificatesIn(files: readonly EndorsementFile[]): {
  readonly certificates: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
} {
  const certificates: Uint8Array[] = [];
  const crls: Uint8Array[] = [];
  for (const { bytes } of files) {
    if (bytes[0] === 0x30) (reads(() => parseCrl(bytes)) ? crls : certificates).push(bytes);
    else {
      const text = utf8Decode(bytes);
      if (text.includes('-----BEGIN CERTIFICATE-----')) certificates.push(...decodePem(text, 'CERTIFICATE'));
      if (text.includes('-----BEGIN X509 CRL-----')) crls.push(...decodePem(text, 'X509 CRL'));
    }
  }
  return { certificates, crls };
}

function isXml(bytes: Uint8Array): boolean {
  return bytes[0] === 0x3c || (bytes[0] === 0xef && bytes[3] === 0x3c);
}

/** A certificate and a list begin alike; only one of them reads as one. */
function reads(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}
