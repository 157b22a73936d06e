// Where the fuzzer starts from: recorded evidence where it is there, and a little of every format in any case.
import { trimEventLog } from '@fastness/attest/event-log';
import { encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { concatBytes, utf8Encode } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { forgeAmdChain } from '@fastness/testkit';
import { signSuccession } from '@fastness/channel';
import { conformanceCases } from '../packages/attest/test/support/conformance/cases.ts';
import { goodBoot, logOf } from '../packages/attest/test/support/tdx-boot.ts';
import { readVector, vectorsPresent } from '../packages/attest/test/support/vectors.ts';

const MAX_SEEDS = 40;

const texts: Readonly<Record<string, readonly string[]>> = {
  cmw: ['["application/vnd.fastness.tdx-quote","AAAA",4]'],
  policy: ['{"version":1,"id":"p","nitro":{"measurements":"from-release"},"waivers":[]}'],
  ear: ['{"eat_profile":"tag:ietf.org,2026:rats/ear#04","iat":1,"submods":{"cpu0":{"ear_status":"affirming"}}}'],
  'oms-bundle': [
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}}',
  ],
  approval: ['{"payload":"e30=","payloadType":"application/vnd.fastness.approval+json","signatures":[{"sig":"AA=="}]}'],
  'release-package': ['{"bundle":"{}","manifest":"{}","release":"{}","approvals":[]}'],
  note: ['log.example/a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 log.example/a AAAAAAAA\n'],
  checkpoint: ['log.example/a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'],
  'verifier-key': ['log.example/a+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=='],
  'log-proof': ['c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example/a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'],
  'add-checkpoint': [
    'old 0\n\nlog.example/a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 log.example/a AAAAAAAA\n',
  ],
  manifest: [
    '{"format":"fastness/manifest/v1","modelId":"m","engine":"llama","task":"generate","sealId":"0000000000000000","files":[],"createdAt":"2026-06-01T12:00:00Z"}',
  ],
  'oms-statement': [
    '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"m","digest":{"sha256":""}}],"predicateType":"https://model_signing/signature/v1.0","predicate":{"serialization":{"method":"files","hash_type":"sha256","allow_symlinks":false},"resources":[]}}',
  ],
  xml: ['<a xmlns="urn:a" b="1"><c xmlns:d="urn:d" d:e="&lt;">t&amp;t</c><f/></a>'],
};

/** Media type of recorded evidence -> the targets that read it. */
const byType: Readonly<Record<string, string>> = {
  'application/vnd.fastness.sev-snp+cbor': 'snp',
  'application/vnd.veraison.tsm-report+json': 'snp-tsm',
  'application/vnd.fastness.tdx-quote': 'tdx',
  'application/vnd.fastness.tdx+cbor': 'tdx-log',
  'application/vnd.fastness.sgx-quote': 'sgx',
  'application/vnd.fastness.aws-nitro+cose': 'nitro',
  'application/vnd.fastness.aws-nitrotpm+cose': 'nitrotpm',
  'application/vnd.fastness.dcap-collateral+json': 'dcap-collateral',
  'application/vnd.fastness.nvidia-gpu+cbor': 'nvidia-gpu',
  'application/vnd.fastness.nvidia-nvswitch+cbor': 'nvidia-nvswitch',
  'application/vnd.fastness.tpm+cbor': 'tpm',
  'application/vnd.fastness.gcp-vtpm+cbor': 'gcp-vtpm',
  'application/vnd.fastness.azure-vtpm+cbor': 'azure-vtpm',
  'application/vnd.fastness.android-key+cbor': 'android-key',
  'application/psa-attestation-token': 'arm-psa',
  'application/vnd.fastness.arm-cca+cbor': 'arm-cca',
  'application/vnd.fastness.gcp-confidential-space+jwt': 'gcp-confidential-space',
  'application/vnd.fastness.nvidia-nras-eat+json': 'nvidia-nras',
};

/** Seeds by target. A target without any starts from nothing. */
export async function seedsByTarget(): Promise<ReadonlyMap<string, readonly Uint8Array[]>> {
  const seeds = new Map<string, Uint8Array[]>();
  const add = (target: string, bytes: Uint8Array): void => {
    const list = seeds.get(target) ?? [];
    if (list.length < MAX_SEEDS) list.push(bytes);
    seeds.set(target, list);
  };
  for (const [target, list] of Object.entries(texts)) for (const text of list) add(target, utf8Encode(text));
  add(
    'binary-request',
    concatBytes(
      Uint8Array.of(7, 2),
      ...['POST', 'https', 'a', '/v1/x'].map((part) => concatBytes(Uint8Array.of(part.length), utf8Encode(part))),
      Uint8Array.of(1, 97, 1, 98, 0, 2, 1, 2, 0, 0),
    ),
  );
  add('binary-response', Uint8Array.of(7, 3, 0x40, 200, 1, 97, 1, 98, 0, 2, 1, 2, 0, 0));
  add('ehbp-frames', concatBytes(Uint8Array.of(3, 0, 0, 0, 16), new Uint8Array(20)));
  add('log-entries', Uint8Array.of(2, 0, 1, 65, 0, 0));
  add('key-config', concatBytes(Uint8Array.of(0, 41, 1, 0, 32), new Uint8Array(32), Uint8Array.of(0, 4, 0, 1, 0, 2)));
  add('cmw-record', encodeCbor(['application/x', new Uint8Array(3), 4]));
  add('cbor', encodeCbor(new Map<number, CborValue>([[1, [1, -1, 'a', new Uint8Array(3), true]]])));
  add(
    'signed-claims',
    await signSuccession({ keyConfigDigest: new Uint8Array(32), sign: async () => new Uint8Array(64) }),
  );
  const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now: new Date() });
  for (const certificate of chain.certificates) add('certificate', certificate);
  add('crl', chain.crl);
  const log = await logOf(goodBoot);
  add('tdx-log', encodeTdxEvidence({ quote: new Uint8Array(48), eventLog: log }).value);
  add('event-words', log);
  if (!vectorsPresent) return seeds;
  const area = readVector('tdx/google__go-tdx-guest/testing/testdata/ccel/ccel_data.dat');
  add('event-words', trimEventLog(area));
  for (const { options } of conformanceCases) {
    const { evidence, endorsements } = await options();
    for (const { type, value } of [evidence, ...endorsements]) {
      const target = byType[type];
      if (target !== undefined) add(target, value);
      if (type.endsWith('+cbor')) add('cbor', value);
      if (type.endsWith('+cose')) add('cose', value);
    }
  }
  return seeds;
}
