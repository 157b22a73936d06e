import { FastnessError } from '@fastness/codec/errors';
import { keyIdPattern } from '../wrapped-key.ts';

/** By the end of a vault's name, where the tokens of its cloud are issued. */
const authorities: Readonly<Record<string, string>> = Object.freeze({
  'azure.net': 'https://login.microsoftonline.com',
  'azure.cn': 'https://login.chinacloudapi.cn',
  'usgovcloudapi.net': 'https://login.microsoftonline.us',
  'microsoftazure.de': 'https://login.microsoftonline.de',
});
const domain = /^[a-z0-9](?:[a-z0-9-]{1,22}[a-z0-9])\.((vault|managedhsm)\.([a-z]+\.[a-z]+))$/;

export interface VaultAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly managed: boolean;
  /** Whom tokens for it have to be for. */
  readonly audience: string;
  /** Where those tokens are issued. */
  readonly authority: string;
}

/** Errors: KEYS_URI. */
export function parseVaultUrl(text: string): VaultAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    url?.protocol === 'https:' && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  const [, host = '', kind = '', cloud = ''] = (plain ? domain.exec(url.hostname) : null) ?? [];
  const authority = Object.hasOwn(authorities, cloud) ? authorities[cloud] : undefined;
  if (!plain || url.pathname !== '/' || authority === undefined) {
    throw new FastnessError(
      'KEYS_URI',
      'A vault is https://NAME.vault.azure.net or https://NAME.managedhsm.azure.net.',
    );
  }
  return { url: url.origin, managed: kind === 'managedhsm', audience: `https://${host}`, authority };
}

const escapes: Readonly<Record<string, string>> = Object.freeze({ '-': '--', '.': '-d', _: '-u' });
const plainOf: Readonly<Record<string, string>> = Object.freeze({ '--': '-', '-d': '.', '-u': '_' });

/** Names in vaults have letters, digits and hyphens, without regard to case. Errors: KEYS_ID_INVALID. */
export function keyName(prefix: string, id: string, version: number): string {
  const name = `${prefix}-${id.replaceAll(/[-._]/g, (sign) => escapes[sign] ?? '')}-v${version}`;
  if (name.length > 127) throw new FastnessError('KEYS_ID_INVALID', 'Its name in the vault would be too long.');
  return name;
}

/** The inverse of `keyName`; undefined for names that are not of this store. */
export function parseKeyName(prefix: string, name: string): { id: string; version: number } | undefined {
  if (!name.startsWith(`${prefix}-`)) return undefined;
  const match = /^((?:[a-z0-9]|-[-du])+)-v([1-9]\d{0,8})$/.exec(name.slice(prefix.length + 1));
  if (match?.[1] === undefined) return undefined;
  const id = match[1].replaceAll(/-[-du]/g, (escape) => plainOf[escape] ?? '');
  return keyIdPattern.test(id) ? { id, version: Number(match[2]) } : undefined;
}
