import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@fastness/codec';
import {
  cmwCollectionToCbor,
  cmwCollectionToJson,
  cmwToCbor,
  cmwToJson,
  EVIDENCE_COLLECTION_TYPE,
} from '@fastness/attest';
import { decodeSnpEndorsements, decodeSnpEvidence } from '@fastness/attest/formats/snp';
import { prepareComposite } from '../../../../packages/attest/test/support/composite-forge.ts';
import { prepareDcap } from '../../../../packages/attest/test/support/dcap-forge.ts';
import { prepare } from '../../../../packages/attest/test/support/forge.ts';
import { prepareNitro } from '../../../../packages/attest/test/support/nitro-forge.ts';

/** A folder of forged evidence, as files that a pipeline would have. Every signature is real; the roots are in `anchors`. */
export interface ForgedFolder {
  readonly path: (name: string) => string;
  readonly write: (name: string, content: string | Uint8Array) => Promise<string>;
  /** Hex of what all of it is bound to. */
  readonly reportData: string;
  readonly at: string;
}

export async function forgedFolder(): Promise<ForgedFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'fastness-attest-'));
  const path = (name: string) => join(folder, name);
  const write = async (name: string, content: string | Uint8Array) => {
    await writeFile(path(name), content);
    return path(name);
  };
  const json = async (name: string, value: unknown) => write(name, JSON.stringify(value));
  const [snp, simulated, tdx, sgx, nitro, nitroTpm] = await Promise.all([
    prepare(),
    prepare({ simulated: true, simulatedRoot: 'own' }),
    prepareDcap(),
    prepareDcap({ kind: 'sgx' }),
    prepareNitro(),
    prepareNitro({ kind: 'nitrotpm' }),
  ]);
  const { report } = decodeSnpEvidence(snp.evidence);
  await write('snp.bin', report);
  await write('snp.hex', `${toHex(report)}\n`);
  await json('snp.cmw.json', cmwToJson(snp.evidence));
  await write('snp.cmw.cbor', cmwToCbor(snp.evidence));
  await json('snp.endorsements.json', cmwToJson(snp.endorsements[0] ?? snp.evidence));
  const { certificates, crls } = decodeSnpEndorsements(snp.endorsements[0] ?? snp.evidence);
  for (const [index, der] of certificates.entries()) await write(`snp.${index}.der`, der);
  await write('snp.crl', crls[0] ?? new Uint8Array());
  const collection = { type: EVIDENCE_COLLECTION_TYPE, records: new Map([['cpu0', snp.evidence]]) };
  await json('snp.collection.json', cmwCollectionToJson(collection));
  await write('snp.collection.cbor', cmwCollectionToCbor(collection));
  await json('simulated.cmw.json', cmwToJson(simulated.evidence));
  await json('simulated.endorsements.json', cmwToJson(simulated.endorsements[0] ?? simulated.evidence));
  const composite = await prepareComposite({
    gpus: { gpu0: { chain: { chipSerial: 1n } }, gpu1: { chain: { chipSerial: 2n } } },
  });
  await json('gpus.collection.json', cmwCollectionToJson(composite.evidence));
  const brought = composite.endorsements.map((record, index) => [`e${index}`, record] as const);
  await write(
    'gpus.endorsements.cbor',
    cmwCollectionToCbor({ type: 'tag:example.org,2026:endorsements', records: new Map(brought) }),
  );
  await json('gpus.policy.json', composite.policy);
  await json('gpus.anchors.json', composite.anchors);
  const { purpose, ...digests } = composite.session;
  const hex = Object.entries(digests).map(([name, value]) => [name, toHex(value)] as const);
  await json('gpus.session.json', { purpose, ...Object.fromEntries(hex) });
  for (const [name, { evidence, endorsements }] of Object.entries({ tdx, sgx, nitro, nitroTpm })) {
    await write(`${name}.bin`, evidence.value);
    if (endorsements[0] !== undefined) await write(`${name}.collateral.json`, endorsements[0].value);
  }
  for (const [name, { policy, anchors }] of Object.entries({ snp, simulated, tdx, sgx, nitro, nitroTpm })) {
    await json(`${name}.policy.json`, policy);
    await json(`${name}.anchors.json`, anchors);
  }
  return { path, write, reportData: toHex(snp.expectedReportData), at: snp.now.toISOString() };
}
