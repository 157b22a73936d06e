import { isAbsolute } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { EntraIdentity } from './entra-credential.ts';

/** Parameters of a vault's URI that say who asks it. */
export const entraParameters = Object.freeze([
  'credential',
  'tenant',
  'client-id',
  'token-file',
  'secret-file',
] as const);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Who this process is to Entra ID, from a vault's URI:
 *
 * - `credential=managed-identity`, with `client-id` where the machine has several
 * - `credential=workload-identity`, with `tenant`, `client-id` and `token-file`, or what AKS sets in the environment in
 *   their place (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE`)
 * - `credential=client-secret`, with `tenant`, `client-id` and `secret-file`
 *
 * Without `credential` it is the workload identity where `AZURE_FEDERATED_TOKEN_FILE` is set, else the managed one.
 * Nothing else is tried when that one fails. Errors: KEYS_URI.
 */
export function parseEntraIdentity(parameters: ReadonlyMap<string, string>, environment: Environment): EntraIdentity {
  const federated = environment['AZURE_FEDERATED_TOKEN_FILE'];
  const kind = parameters.get('credential') ?? (federated === undefined ? 'managed-identity' : 'workload-identity');
  const only = (...names: string[]): void => {
    const foreign = entraParameters.find(
      (name) => name !== 'credential' && parameters.has(name) && !names.includes(name),
    );
    if (foreign !== undefined) throw new FastnessError('KEYS_URI', `${foreign} says nothing with ${kind}.`);
  };
  switch (kind) {
    case 'managed-identity': {
      only('client-id');
      const clientId = parameters.get('client-id');
      return clientId === undefined ? { kind } : { kind, clientId: plain('client-id', clientId) };
    }
    case 'workload-identity':
      only('tenant', 'client-id', 'token-file');
      return {
        kind,
        tenant: plain('tenant', parameters.get('tenant') ?? environment['AZURE_TENANT_ID']),
        clientId: plain('client-id', parameters.get('client-id') ?? environment['AZURE_CLIENT_ID']),
        file: absolute('token-file', parameters.get('token-file') ?? federated),
      };
    case 'client-secret':
      only('tenant', 'client-id', 'secret-file');
      return {
        kind,
        tenant: plain('tenant', parameters.get('tenant')),
        clientId: plain('client-id', parameters.get('client-id')),
        file: absolute('secret-file', parameters.get('secret-file')),
      };
    default:
      throw new FastnessError('KEYS_URI', 'credential is managed-identity, workload-identity or client-secret.');
  }
}

/** GUIDs and domains; both become part of addresses. */
function plain(name: string, value: string | undefined): string {
  if (value === undefined || !/^[0-9A-Za-z][0-9A-Za-z.-]{0,127}$/.test(value)) {
    throw new FastnessError('KEYS_URI', `${name} is a GUID, or the name of a domain.`);
  }
  return value;
}

function absolute(name: string, path: string | undefined): string {
  if (path === undefined || !isAbsolute(path)) throw new FastnessError('KEYS_URI', `${name} is an absolute path.`);
  return path;
}
