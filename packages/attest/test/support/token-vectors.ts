import { parseJson, type JsonObject, isJsonObject } from '../../src/jws/json.ts';
import { readVector, readVectorText } from './vectors.ts';

const oak = 'jwt/project-oak__oak/oak_attestation_gcp/testdata';
const nvidia = 'jwt/NVIDIA__attestation-sdk/nv-attestation-sdk-cpp/unit-tests/testdata/sample_attestation_data';

/** Recorded tokens, by the first file of their row in the index. */
export const tokenVectors = Object.freeze({
  confidentialSpace: 'jwt/project-oak__oak/ctf_sha2/confidential_space/samples/sample.jwt',
  templates: `${oak}/claims.json`,
  nras: `${nvidia}/hopperClaimsv3_detached_eat.json`,
  nrasStaging: `${nvidia}/switch_detached_eat.json`,
  localVerifier: 'nvidia/Dstack-TEE__dstack/dstack/dstack-util/tests/fixtures/gpu_attestation_h100.json',
});

export const readToken = (path: string): string => readVectorText(path).trim();

/** Claims that project-oak signs in its tests; they are not signed here. */
export function readTemplate(name: string): JsonObject {
  return asObject(parse(readVector(`${oak}/${name}.json`)));
}

/** A detached EAT that a file holds as a whole, or as `detached_eat`. */
export function readBundle(path: string): string {
  const value = parse(readVector(path));
  return JSON.stringify(isJsonObject(value) ? value['detached_eat'] : value);
}

/** The claims of a token, unverified. */
export function claimsIn(token: string): JsonObject {
  const [, payload = ''] = token.split('.');
  return asObject(parse(new Uint8Array(Buffer.from(payload, 'base64url'))));
}

function parse(bytes: Uint8Array) {
  return parseJson(bytes, { maxBytes: 1 << 20, maxDepth: 20, maxValues: 100_000 });
}

function asObject(value: ReturnType<typeof parse>): JsonObject {
  if (!isJsonObject(value)) throw new Error('no object');
  return value;
}
