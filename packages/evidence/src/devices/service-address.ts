import { FastnessError } from '@fastness/codec/errors';

/** The address of an attestation service: https://, a host, nothing else. Throws EVIDENCE_INSTANCE. */
export function requireService(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`)
    throw new FastnessError('EVIDENCE_INSTANCE', `${JSON.stringify(address)}; expected https://HOST.`);
  return url;
}
