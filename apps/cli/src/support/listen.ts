import { FastnessError } from '@fastness/codec/errors';

/** Whether a host name, as URLs write it, is this machine's own. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Host and port of an `http://host:port` address. Port 0 asks the system for a free one. */
export function listenAddress(url: string): { host: string; port: number } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.protocol !== 'http:' || parsed.pathname !== '/') {
    throw new FastnessError(
      'CLI_USAGE',
      `${JSON.stringify(url)}: an address such as http://127.0.0.1:7803. Put TLS in front for other machines.`,
    );
  }
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: parsed.port === '' ? 80 : Number(parsed.port) };
}
