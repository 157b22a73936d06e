import { CborTag, decodeCbor, encodeCbor } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import { readVector } from './vectors.ts';

const trustee = 'cca/confidential-containers__trustee/deps/verifier/test_data/cca/misc';
const veraison = 'cca/veraison__services/scheme/arm-cca/test';
const parsec = 'parsec/veraison__services/scheme/parsec-cca/test';
export const corimRow = `${veraison}/corim`;
export const platformCorim = `${corimRow}/corim-cca-platform-valid.cbor`;
export const realmCorim = `${corimRow}/corim-cca-realm-valid.cbor`;

/** A recorded token, the key it is judged with, and the verdict. */
export interface CcaCase {
  readonly name: string;
  /** The file that the row of the index begins with. Absent: a token out of evidence of another kind. */
  readonly row?: string;
  readonly token: () => Uint8Array;
  readonly key: string;
  readonly platformProfile: string;
  readonly realmProfile: string | undefined;
  readonly verdict: 'accept' | ErrorCode;
}

const trusteeToken = `${trustee}/cca-example-token.cbor`;
const veraisonToken = `${veraison}/evidence/cca-good.cbor`;
const legacy = 'http://arm.com/CCA-SSD/1.0.0';
const realm2023 = 'tag:arm.com,2023:realm#1.0.0';

export const ccaCases: readonly CcaCase[] = [
  {
    name: 'Trustee, ES384, realm key as a point',
    row: trusteeToken,
    token: () => readVector(trusteeToken),
    key: `${trustee}/cpak-pub.json`,
    platformProfile: legacy,
    realmProfile: undefined,
    verdict: 'accept',
  },
  {
    name: 'Veraison, platform ES256, realm key as a COSE_Key',
    row: veraisonToken,
    token: () => readVector(veraisonToken),
    key: `${veraison}/evidence/src/ec.p256.jwk`,
    platformProfile: legacy,
    realmProfile: realm2023,
    verdict: 'accept',
  },
  {
    name: 'Veraison, under the key of another platform',
    row: veraisonToken,
    token: () => readVector(veraisonToken),
    key: `${trustee}/cpak-pub.json`,
    platformProfile: legacy,
    realmProfile: realm2023,
    verdict: 'CCA_KEY_TYPE',
  },
  {
    name: 'Parsec, the token inside its evidence',
    token: () => parsecToken(`${parsec}/evidence/evidence.cbor`),
    key: `${parsec}/evidence/src/ec.p256.jwk`,
    platformProfile: legacy,
    realmProfile: realm2023,
    verdict: 'accept',
  },
];

/** Parsec wraps the platform's token (`pat`) beside one about a key of its own. */
function parsecToken(path: string): Uint8Array {
  const evidence = decodeCbor(readVector(path), { keyOrder: 'any' });
  const token = evidence instanceof Map ? evidence.get('pat') : undefined;
  if (!(token instanceof CborTag)) throw new Error('no platform token');
  return encodeCbor(token);
}
