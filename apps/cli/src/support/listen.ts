import { FastnessError } from '@fastness/codec/errors';

/** Whether a host name, as URLs write it, is this machine's own. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Host and port of an `http://host:port` address, or of an `https` one where the caller terminates TLS. Port 0 asks the system for a free one. */
export function listenAddress(url: string, options: { readonly tls?: boolean } = {}): { host: string; port: number } {
  const { tls = false } = options;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.protocol !== (tls ? 'https:' : 'http:') || parsed.pathname !== '/') {
    throw new FastnessError(
      'CLI_USAGE',
      `${JSON.stringify(url)}: an address such as ${tls ? 'https://0.0.0.0:7803.' : 'http://127.0.0.1:7803. Put TLS in front for other machines.'}`,
    );
  }
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port),
  };
}
