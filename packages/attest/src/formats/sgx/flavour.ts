import { SGX_QUOTE_TYPE } from '../../media-types.ts';
import type { DcapFlavour } from '../dcap/flavour.ts';

/** Quotes version 3. */
export const sgxFlavour: DcapFlavour & { readonly evidenceType: string } = Object.freeze({
  tee: 'sgx',
  evidenceType: SGX_QUOTE_TYPE,
  teeType: 0,
  versions: Object.freeze([3]),
  bodies: Object.freeze(['sgx-enclave'] as const),
  tcbInfoId: 'SGX',
  qeIdentityId: 'QE',
});
