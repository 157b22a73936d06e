import { toBase64Url, toHex } from '@fastness/codec';
import { encodeCcaEvidence, parse as parseCca } from '../../../src/formats/arm-cca/index.ts';
import { encodePsaEvidence, parse as parsePsa, type PsaToken } from '../../../src/formats/arm-psa/index.ts';
import { parseAttestationPolicy, type VerifyEvidenceOptions } from '../../../src/index.ts';
import { now, recordedKey, stateOf } from '../arm-forge.ts';
import { ccaCases } from '../cca-cases.ts';
import { psaCases } from '../psa-cases.ts';
import { readVector } from '../vectors.ts';
import type { ConformanceCase } from './case.ts';

const policyOf = (section: object) =>
  parseAttestationPolicy({ version: 1, id: 'recorded-tokens', ...section, waivers: [] });

/** Everything that verifies a PSA token under the state of `reference`, as its producer would list it. */
export function psaOptions(
  token: Uint8Array,
  spki: Uint8Array,
  reference: PsaToken,
  change: object = {},
): VerifyEvidenceOptions {
  const { instanceId, implementationId, clientId, nonce } = reference;
  return {
    evidence: encodePsaEvidence(token),
    endorsements: [],
    policy: policyOf({
      armPsa: {
        keys: [{ instanceId, implementationId, publicKey: toBase64Url(spki) }],
        references: [stateOf(reference)],
        clientIds: [clientId],
        ...change,
      },
    }),
    anchors: {},
    expectedReportData: nonce,
    now,
  };
}

/** Everything that verifies a CCA token under the state that it is in, as its producer would list it. */
export function ccaOptions(token: Uint8Array, spki: Uint8Array, change: object = {}): VerifyEvidenceOptions {
  const evidence = encodeCcaEvidence(token);
  const { platform, realm } = parseCca(evidence);
  const { instanceId, implementationId } = platform;
  return {
    evidence,
    endorsements: [],
    policy: policyOf({
      armCca: {
        keys: [{ instanceId, implementationId, publicKey: toBase64Url(spki) }],
        references: [{ ...stateOf(platform), configuration: { value: toHex(platform.configuration) } }],
        measurements: [realm.initialMeasurement],
        rems: Object.fromEntries(realm.rems.map((rem, index) => [index, [rem]])),
        personalizationValues: [realm.personalizationValue],
        ...change,
      },
    }),
    anchors: {},
    expectedReportData: realm.challenge,
    now,
  };
}

export const armConformance: readonly ConformanceCase[] = [
  ...psaCases.map(({ row, name, verdict, key }): ConformanceCase => ({
    tee: 'psa',
    row,
    name,
    verdict,
    options: async () => {
      const token = readVector(row);
      return psaOptions(token, await recordedKey(key), parsePsa(encodePsaEvidence(token)).token);
    },
  })),
  ...ccaCases.map(({ row, name, verdict, key, token }): ConformanceCase => ({
    tee: 'cca',
    row: row ?? 'parsec/veraison__services/scheme/parsec-cca/test',
    name,
    verdict,
    options: async () => ccaOptions(token(), await recordedKey(key)),
  })),
];
