import type { ErrorFacts } from './class.ts';
import { attestBaseErrors } from './attest-base.ts';
import { androidErrors } from './attest-android.ts';
import { azureMaaErrors } from './attest-azure-maa.ts';
import { gcpConfidentialSpaceErrors } from './attest-gcp-confidential-space.ts';
import { intelTrustAuthorityErrors } from './attest-intel-trust-authority.ts';
import { jwsErrors } from './attest-jws.ts';
import { nvidiaNrasErrors } from './attest-nvidia-nras.ts';
import { tokenErrors } from './attest-token.ts';
import { azureVtpmErrors } from './attest-azure-vtpm.ts';
import { gcpVtpmErrors } from './attest-gcp-vtpm.ts';
import { armCcaErrors } from './attest-arm-cca.ts';
import { armPsaErrors } from './attest-arm-psa.ts';
import { corimErrors } from './attest-corim.ts';
import { nitroErrors } from './attest-nitro.ts';
import { nvidiaAppraisalErrors } from './attest-nvidia-appraisal.ts';
import { nvidiaEndorsementErrors } from './attest-nvidia-endorsements.ts';
import { nvidiaReportErrors } from './attest-nvidia-report.ts';
import { tpmErrors } from './attest-tpm.ts';
import { dcapCollateralErrors } from './attest-dcap-collateral.ts';
import { dcapQuoteErrors } from './attest-dcap-quote.ts';
import { eventLogErrors } from './attest-event-log.ts';
import { referenceValueErrors } from './attest-reference-values.ts';
import { sgxErrors } from './attest-sgx.ts';
import { snpAppraisalErrors } from './attest-snp-appraisal.ts';
import { snpAuthenticityErrors } from './attest-snp-authenticity.ts';
import { tdxErrors } from './attest-tdx.ts';

/** Codes of `attest`; those of each TEE come from a file of their own. */
export const attestErrors = Object.freeze({
  ...attestBaseErrors,
  ...snpAuthenticityErrors,
  ...snpAppraisalErrors,
  ...dcapQuoteErrors,
  ...dcapCollateralErrors,
  ...tdxErrors,
  ...sgxErrors,
  ...eventLogErrors,
  ...referenceValueErrors,
  ...nitroErrors,
  ...armPsaErrors,
  ...armCcaErrors,
  ...corimErrors,
  ...nvidiaReportErrors,
  ...nvidiaEndorsementErrors,
  ...nvidiaAppraisalErrors,
  ...jwsErrors,
  ...tokenErrors,
  ...androidErrors,
  ...azureMaaErrors,
  ...intelTrustAuthorityErrors,
  ...gcpConfidentialSpaceErrors,
  ...nvidiaNrasErrors,
  ...tpmErrors,
  ...gcpVtpmErrors,
  ...azureVtpmErrors,
} as const satisfies Record<string, ErrorFacts>);
