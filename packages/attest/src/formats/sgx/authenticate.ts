import { authenticateQuote, type AuthenticateOptions } from '../dcap/authenticate.ts';
import type { EnclaveReport } from '../dcap/enclave-report.ts';
import type { AuthenticQuote, ParsedQuote } from '../dcap/stages.ts';
import { sgxFlavour } from './flavour.ts';

/** Establishes that a pinned Intel root vouches for the quote. Throws DCAP_..., X509_..., ATTEST_.... */
export async function authenticate(
  parsed: ParsedQuote<EnclaveReport>,
  options: AuthenticateOptions,
): Promise<AuthenticQuote<EnclaveReport>> {
  return authenticateQuote(parsed, sgxFlavour, options);
}
