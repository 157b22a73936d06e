import { createHash } from 'node:crypto';
import { decodePem, encodePem } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import type { DcapCollateral } from '../../src/formats/tdx/index.ts';
import type { TrustAnchors } from '../../src/index.ts';
import { readVector, readVectorText } from './vectors.ts';

/** The samples that come with Intel's verification library: quotes that no processor made, under roots of their own. */
const library = 'intel__SGX-TDX-DCAP-QuoteVerificationLibrary/Src/AttestationApp/sampleData';
export const sgxSample: string = `sgx/${library}`;
export const tdxSample: string = `tdx/${library}/tdx`;

const certificates = (path: string) => decodePem(readVectorText(path), 'CERTIFICATE');
const isRoot = (der: Uint8Array) => parseCertificate(der).subject.commonName === 'Intel SGX Root CA';
/** Leaf first, as Intel's services send a chain; the samples have it both ways. */
const pemOf = (chain: readonly Uint8Array[]) =>
  [...chain.filter((der) => !isRoot(der)), ...chain.filter(isRoot)]
    .map((der) => encodePem(der, 'CERTIFICATE'))
    .join('');
const list = (path: string) => {
  const bytes = readVector(path);
  if (bytes[0] === 0x30) return bytes;
  const [der = bytes] = decodePem(readVectorText(path), 'X509 CRL');
  return der;
};

/** What goes with a sample quote. `extension`: in which form it has its lists. */
export const sampleCollateral = (folder: string, extension: 'pem' | 'der') => (): DcapCollateral => {
  const signers = pemOf(certificates(`${folder}/tcbSignChain.pem`));
  return {
    tcbInfo: readVectorText(`${folder}/tcbInfo.json`),
    tcbInfoIssuerChain: signers,
    qeIdentity: readVectorText(`${folder}/qeIdentity.json`),
    qeIdentityIssuerChain: signers,
    rootCaCrl: list(`${folder}/rootCaCrl.${extension}`),
    pckCrl: list(`${folder}/intermediateCaCrl.${extension}`),
    pckCertificateChain: pemOf([
      ...certificates(`${folder}/pckCert.pem`),
      ...certificates(`${folder}/pckSignChain.pem`),
    ]),
  };
};

/** Pins the root of a sample. */
export const sampleAnchors = (folder: string) => (): TrustAnchors => {
  const [root = new Uint8Array(0)] = certificates(`${folder}/trustedRootCaCert.pem`);
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const pins = { spkiSha256: sha256(parseCertificate(root).spki), certificateSha256: sha256(root) };
  return { intel: [{ name: 'Intel SGX Root CA', ...pins, source: "the sample of Intel's library" }] };
};
