import { dcapCases, dcapOptions } from '../dcap-cases.ts';
import { nitroOptions, nitroVectors } from '../nitro-vectors.ts';
import { nvidiaCases, nvidiaOptions, vbiosRim } from '../nvidia-cases.ts';
import { snpCases, snpOptions } from '../snp-cases.ts';
import { tpmCases, tpmOptions, tpmReferenceRows } from '../tpm-cases.ts';
import { corimRow as ccaCorimRow } from '../cca-cases.ts';
import { claimsRow as psaClaimsRow, corimRow as psaCorimRow } from '../psa-cases.ts';
import { tokenVectors } from '../token-vectors.ts';
import { androidConformance } from './android.ts';
import { armConformance } from './arm.ts';
import type { ConformanceCase, NotJudged } from './case.ts';
import { tokenConformance } from './tokens.ts';

/** Recorded evidence of every TEE with the verdict it must get, in the form that any runtime can judge. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...snpCases.map((found): ConformanceCase => {
    const { row, name, verdict } = found;
    return { tee: 'snp', row, name, verdict, options: () => snpOptions(found) };
  }),
  ...dcapCases.map((found): ConformanceCase => {
    const { tee, row, name, verdict } = found;
    return { tee, row, name, verdict, options: () => dcapOptions(found) };
  }),
  ...nitroVectors.map((found): ConformanceCase => {
    const { row, name, verdict } = found;
    const tee = found.tee === 'aws-nitro' ? 'nitro' : 'nitrotpm';
    return { tee, row, name, verdict, options: () => nitroOptions(found) };
  }),
  ...nvidiaCases.map((found): ConformanceCase => {
    const { row, name, verdict } = found;
    return { tee: 'nvidia', row, name, verdict, options: () => nvidiaOptions(found) };
  }),
  ...tpmCases.map((found): ConformanceCase => {
    const { row, name, verdict } = found;
    return { tee: row.split('/')[0] ?? '', row, name, verdict, options: () => tpmOptions(found) };
  }),
  ...armConformance,
  ...androidConformance,
  ...tokenConformance,
];

export const notJudged: readonly NotJudged[] = [
  { row: 'snp/virtee__sev/tests/certs_data/vcek_turin.der', why: 'a chain without a report; see snp-turin.test.ts' },
  {
    row: 'tdx/project-oak__oak/oak_attestation_verification/testdata/tdx_oc_evidence.binarypb',
    why: "evidence in another project's envelope, given for reference",
  },
  { row: vbiosRim, why: 'a reference document: verified in nvidia-vectors.test.ts, and with the report of an H100' },
  ...Object.entries(tpmReferenceRows).map(([row, why]): NotJudged => ({ row, why })),
  { row: psaClaimsRow, why: 'claim sets without a signature: signed by a test key in psa-vectors.test.ts' },
  { row: psaCorimRow, why: 'endorsements: read in corim-vectors.test.ts' },
  { row: ccaCorimRow, why: 'endorsements: read in corim-vectors.test.ts' },
  { row: tokenVectors.templates, why: 'claims without a signature: signed by a test key in token-vectors.test.ts' },
  {
    row: 'parsec/veraison__services/scheme/parsec-tpm/test',
    why: 'keys of Parsec, a format this verifier does not read',
  },
  {
    row: 'riot-dice/veraison__services/scheme/riot/test/evidence/evidence.pem',
    why: 'a DICE chain of no TEE, given for reference',
  },
  {
    row: 'csv/confidential-containers__trustee/deps/verifier/test_data/csv_evidence.json',
    why: 'Hygon CSV, a TEE this verifier does not know',
  },
];
