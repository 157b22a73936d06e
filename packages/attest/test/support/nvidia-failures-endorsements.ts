import { utf8Encode } from '@fastness/codec';
import { basicConstraints, keyUsage, nvidiaName, ocspSigning, type RimLevel } from '@fastness/testkit';
import { forgeCertificate, type ForgeCertificateOptions } from '@fastness/testkit';
import { after, nonce, type NvidiaScenario } from './nvidia-forge.ts';
import { flipLast, p256, stranger, type NvidiaFailure } from './nvidia-failures-report.ts';

const replace = (from: string | RegExp, to: string) => (text: string) => {
  const changed = text.replace(from, to);
  if (changed === text) throw new TypeError(`Nothing to replace: ${String(from)}`);
  return changed;
};
/** Edits the driver's document before it is signed. */
const document = (from: string | RegExp, to: string): NvidiaScenario => ({
  driverRim: { document: replace(from, to) },
});
/** Edits it after it was signed. */
const signed = (from: string | RegExp, to: string): NvidiaScenario => ({ driverRim: { signed: replace(from, to) } });
const info = (from: string | RegExp, to: string): NvidiaScenario => ({ driverRim: { signedInfo: replace(from, to) } });
const at = (level: RimLevel, change: Partial<ForgeCertificateOptions>): NvidiaScenario => ({
  rimChain: { levels: { [level]: change } },
});
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';

export const documentFailures: readonly NvidiaFailure[] = [
  ['ATTEST_ENDORSEMENT_MALFORMED', 'too many', { rims: () => Array.from({ length: 65 }, () => Uint8Array.of(0x3c)) }],
  ['NVIDIA_RIM_FORMAT', 'nothing', { rims: () => [new Uint8Array()] }],
  ['NVIDIA_RIM_FORMAT', 'CBOR, as CoRIM is', { rims: () => [Uint8Array.of(0xd9, 0x01, 0xf5, 0xa0)] }],
  ['NVIDIA_RIM_FORMAT', 'another document', { rims: () => [utf8Encode('<a/>')] }],
  ['CODEC_UNSUPPORTED', 'a document type', { rims: () => [utf8Encode('<!DOCTYPE a><a/>')] }],
  ['CODEC_UNSUPPORTED', 'a comment', signed('<ns0:Entity', '<!-- --><ns0:Entity')],
  ['CODEC_MALFORMED', 'a tag that is not closed', signed('</ns0:Payload>', '')],
  ['NVIDIA_RIM_STRUCTURE', 'no payload', document(/<ns0:Payload[^]*<\/ns0:Payload>/, '')],
  ['NVIDIA_RIM_STRUCTURE', 'an element more', document('<ns0:Meta', '<ns0:Link/><ns0:Meta')],
  ['NVIDIA_RIM_STRUCTURE', 'text', document('<ns0:Meta', 'text<ns0:Meta')],
  ['NVIDIA_RIM_STRUCTURE', 'a patch', document('patch="false"', 'patch="true"')],
  ['NVIDIA_RIM_STRUCTURE', 'a supplement', document('supplemental="false"', 'supplemental="true"')],
  ['NVIDIA_RIM_STRUCTURE', 'no tag id', document('tagId=', 'otherId=')],
  ['NVIDIA_RIM_STRUCTURE', 'no version', document('colloquialVersion=', 'otherVersion=')],
  ['NVIDIA_RIM_STRUCTURE', 'an index twice', document('index="8"', 'index="7"')],
  ['NVIDIA_RIM_STRUCTURE', 'an index that is no number', document('index="8"', 'index="+8"')],
  ['NVIDIA_RIM_STRUCTURE', 'an index that is too high', document('index="63"', 'index="255"')],
  ['NVIDIA_RIM_STRUCTURE', 'neither active nor not', document('active="True"', 'active="true"')],
  ['NVIDIA_RIM_STRUCTURE', 'fewer digests than stated', document('alternatives="2"', 'alternatives="3"')],
  ['NVIDIA_RIM_STRUCTURE', 'more digests than stated', document('alternatives="2"', 'alternatives="1"')],
  ['NVIDIA_RIM_STRUCTURE', 'digests in capitals', document(/="eeee/, '="EEEE')],
  ['NVIDIA_RIM_STRUCTURE', 'digests of another algorithm', document('size="48"', 'size="32"')],
  ['NVIDIA_RIM_STRUCTURE', 'another kind of resource', document('type="Measurement"', 'type="File"')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'no signature', signed(/<ds:Signature [^]*<\/ds:Signature>/, '')],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'a second signature',
    signed('<ns0:Entity', `<ds:Signature xmlns:ds="${DSIG}"/><ns0:Entity`),
  ],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'something after the signature',
    signed('</ds:Signature>', '</ds:Signature><ns0:Payload/>'),
  ],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'another canonical form', info('c14n11', 'c14n12')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'another signature algorithm', info('ecdsa-sha384', 'hmac-sha384')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'another hash', info('more#sha384"', 'more#md5"')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'a part of the document', info('URI=""', 'URI="#payload"')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'no reference to anything', info('URI=""', '')],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'a transform more',
    info('<ds:Transforms>', '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'),
  ],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'parameters of an algorithm',
    info('c14n11"/>', 'c14n11">1</ds:CanonicalizationMethod>'),
  ],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'two references', info(/<ds:Reference[^]*<\/ds:Reference>/, '$&$&')],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'a key in place of certificates',
    signed(/<ds:X509Data>[^]*<\/ds:X509Data>/, '<ds:KeyName/>'),
  ],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'no certificates', { driverRim: { certificates: [] } }],
  [
    'NVIDIA_RIM_SIGNATURE_FORM',
    'a certificate that is too long',
    { driverRim: { certificates: [new Uint8Array(4097)] } },
  ],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'a signature cut short', signed(/(<ds:SignatureValue>)..../, '$1')],
  ['NVIDIA_RIM_SIGNATURE_FORM', 'a digest that is no base64', info(/(<ds:DigestValue>)./, '$1!')],

  ['NVIDIA_RIM_AMBIGUOUS', "two of the driver's version", { vbiosRim: { version: '580.95.05' } }],
  ['NVIDIA_RIM_FOREIGN', "another driver's", { driverRim: { version: '580.95.06' } }],
  ['NVIDIA_RIM_FOREIGN', "another VBIOS's", { vbiosRim: { version: '96.00.5E.00.02' } }],
  ['NVIDIA_RIM_FOREIGN', "another product's", { driverRim: { product: 'GB100' } }],
  ['NVIDIA_RIM_FOREIGN', "a switch's", { driverRim: { edition: 'SWITCH' } }],
  ['NVIDIA_RIM_FOREIGN', "a GPU's, for a switch", { kind: 'nvswitch', vbiosRim: { edition: 'GPU', product: 'GH100' } }],
  ['NVIDIA_RIM_MISSING', 'none', { rims: () => [] }],
  ['NVIDIA_RIM_MISSING', "not the driver's", { rims: (rims) => rims.slice(1) }],
  ['NVIDIA_RIM_MISSING', 'not the VBIOS', { rims: (rims) => rims.slice(0, 1) }],
  ['NVIDIA_RIM_MISSING', 'none for a switch', { kind: 'nvswitch', rims: () => [] }],
  [
    'NVIDIA_RIM_ROOT_NOT_PINNED',
    'the root of devices',
    {
      anchors: ({ rootSpkiSha256: spkiSha256 }) => {
        const device = [{ name: 'x', spkiSha256, certificateSha256: '', source: '' }];
        return { nvidiaDevices: device, nvidiaRims: device };
      },
    },
  ],
  ['NVIDIA_RIM_ROOT_NOT_PINNED', 'another key under the name of the root', at('root', { keys: stranger })],
  ['NVIDIA_RIM_CHAIN', 'a signer alone', signed(/(<\/ds:X509Certificate>)<ds:X509C[^]*(<\/ds:X509Data>)/, '$1$2')],
  [
    'NVIDIA_RIM_CHAIN',
    'a signer of another authority',
    at('signer', { issuer: { name: nvidiaName('another'), keys: stranger } }),
  ],
  ['NVIDIA_RIM_CHAIN', 'a P-256 signer', at('signer', { keys: p256 })],
  [
    'NVIDIA_RIM_CHAIN',
    'an algorithm with SHA-256',
    at('series', { signatureAlgorithm: { kind: 'ecdsa', hash: 'SHA-256' } }),
  ],
  [
    'NVIDIA_RIM_CHAIN',
    'a signer that is an authority',
    at('signer', { extensions: [basicConstraints({ ca: true }), keyUsage('digitalSignature', 'keyCertSign')] }),
  ],
  [
    'NVIDIA_RIM_CHAIN',
    'the OCSP responder of an authority as signer',
    at('signer', { extensions: [basicConstraints({ ca: false }), keyUsage('digitalSignature'), ocspSigning] }),
  ],
  ['NVIDIA_RIM_CHAIN', 'a signer that may not sign', at('signer', { extensions: [keyUsage('keyAgreement')] })],
  ['NVIDIA_RIM_CHAIN', 'a series that is no authority', at('series', { extensions: [keyUsage('keyCertSign')] })],
  [
    'NVIDIA_RIM_CHAIN',
    'a product authority for none below',
    at('product', { extensions: [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign')] }),
  ],
  [
    'NVIDIA_RIM_VALIDITY',
    'a signer, no longer',
    at('signer', { validity: { notBefore: after(-99), notAfter: after(-1) } }),
  ],
  [
    'NVIDIA_RIM_VALIDITY',
    'an authority, not yet',
    at('series', { validity: { notBefore: after(1), notAfter: after(99) } }),
  ],
  ...(['signer', 'series', 'product', 'root'] as const).map((level): NvidiaFailure => [
    'NVIDIA_RIM_CERTIFICATE_SIGNATURE',
    `a changed one of the ${level}`,
    at(level, { tamper: { signature: flipLast } }),
  ]),
  ['NVIDIA_RIM_DIGEST', 'a digest of a measurement changed', signed(/="eeee/, '="eeef')],
  ['NVIDIA_RIM_DIGEST', 'a measurement switched off', signed('active="True"', 'active="False"')],
  ['NVIDIA_RIM_DIGEST', 'white space changed', signed('\n    <ns0:Meta', '\n     <ns0:Meta')],
  ['NVIDIA_RIM_DIGEST', 'another digest, signed', info(/(<ds:DigestValue>)../, '$1AA')],
  ['NVIDIA_RIM_SIGNATURE', 'another P-384 key', { driverRim: { signWith: stranger } }],
  ['NVIDIA_RIM_SIGNATURE', 'white space in what is signed', signed('<ds:SignedInfo>', '<ds:SignedInfo>\n')],
];

const device = (answer: object, response: object = {}): NvidiaScenario => ({
  deviceOcsp: { answers: { chip: answer }, responses: { chip: response } },
});
const revoked = (reason?: number) => ({
  status: { revoked: after(-9999), ...(reason === undefined ? {} : { reason }) },
});
const responder = nvidiaName('A responder');
const certificateOf = async (change: Partial<ForgeCertificateOptions>) =>
  forgeCertificate({
    subject: responder,
    keys: stranger,
    validity: { notBefore: after(-60), notAfter: after(60) },
    extensions: [basicConstraints({ ca: false }), keyUsage('digitalSignature'), ocspSigning],
    ...change,
  });
const [unauthorised, plain] = await Promise.all([
  certificateOf({}),
  certificateOf({ extensions: [keyUsage('digitalSignature')] }),
]);

export const ocspFailures: readonly NvidiaFailure[] = [
  ['CODEC_UNSUPPORTED', 'an error of the responder', device({}, { responseStatus: 6 })],
  ['CODEC_TRUNCATED', 'half a response', { ocsp: ([one = new Uint8Array()]) => [one.subarray(0, 99)] }],
  [
    'X509_CRITICAL_EXTENSION',
    'an unknown critical extension',
    device({}, { extensions: [{ oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }] }),
  ],
  ['NVIDIA_OCSP_MISSING', 'none', { ocsp: () => [] }],
  ['NVIDIA_OCSP_MISSING', 'none about the chip', { ocsp: (responses) => responses.slice(1) }],
  ['NVIDIA_OCSP_MISSING', 'none about the signer of the documents', { ocsp: (responses) => responses.toSpliced(3, 1) }],
  ['NVIDIA_OCSP_MISSING', 'about another serial number', device({ serial: 99 })],
  [
    'NVIDIA_OCSP_MISSING',
    'about the serial number of another issuer',
    device({ issuer: { name: responder, keys: stranger } }),
  ],
  ['NVIDIA_OCSP_RESPONDER', 'nobody known', device({}, { responder: { name: responder, keys: stranger } })],
  [
    'NVIDIA_OCSP_RESPONDER',
    'somebody who certifies himself',
    device({}, { responder: { name: responder, keys: stranger }, certificates: [unauthorised] }),
  ],
  [
    'NVIDIA_OCSP_RESPONDER',
    'somebody whose certificate is for something else',
    device({}, { responder: { name: responder, keys: stranger }, certificates: [plain] }),
  ],
  ['NVIDIA_OCSP_SIGNATURE', 'a signature that was changed', device({}, { tamper: { signature: flipLast } })],
  [
    'NVIDIA_OCSP_SIGNATURE',
    'another key under the name of the issuer',
    {
      rimOcsp: {
        responses: { series: { responder: { name: nvidiaName('NVIDIA Reference Value GH100 CA'), keys: stranger } } },
      },
    },
  ],
  [
    'NVIDIA_OCSP_NONCE',
    'another nonce',
    { deviceOcsp: { nonce: nonce.toReversed() }, section: { ocspNonce: 'report-data' } },
  ],
  [
    'NVIDIA_OCSP_NONCE',
    'a nonce that is longer',
    {
      rimOcsp: { nonce: new Uint8Array([...nonce, 0]) },
      section: { ocspNonce: 'report-data' },
    },
  ],
  ['NVIDIA_OCSP_NOT_YET_VALID', 'tomorrow', device({ thisUpdate: after(1440), nextUpdate: after(2000) })],
  ['NVIDIA_OCSP_EXPIRED', 'past its next update', device({ nextUpdate: after(-0.5) })],
  ['NVIDIA_OCSP_EXPIRED', 'no next update, and two days old', device({ thisUpdate: after(-2880), nextUpdate: null })],
  [
    'NVIDIA_OCSP_EXPIRED',
    'older than the policy says',
    { ...device({ thisUpdate: after(-30), nextUpdate: after(999) }), section: { ocspMaxAgeSeconds: 600 } },
  ],
  ['NVIDIA_OCSP_EXPIRED', 'about a document', { rimOcsp: { answers: { signer: { nextUpdate: after(-0.5) } } } }],
  ['NVIDIA_OCSP_UNKNOWN', 'the chip', device({ status: 'unknown' })],
  ['NVIDIA_CERTIFICATE_HOLD', 'the chip', device(revoked(6))],
  ['NVIDIA_CERTIFICATE_HOLD', 'the signer of the documents', { rimOcsp: { answers: { signer: revoked(6) } } }],
  ['NVIDIA_CERTIFICATE_REVOKED', 'the chip', device(revoked(1))],
  ['NVIDIA_CERTIFICATE_REVOKED', 'the chip, without a reason', device(revoked())],
  [
    'NVIDIA_CERTIFICATE_REVOKED',
    'the chip, where holds are waived',
    { ...device(revoked(1)), waive: ['NVIDIA_CERTIFICATE_HOLD'] },
  ],
  ['NVIDIA_CERTIFICATE_REVOKED', 'an authority of the documents', { rimOcsp: { answers: { product: revoked(4) } } }],
];
