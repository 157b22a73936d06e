import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { maxKeysOfTenant, maxTenants, newApiKey, tenantLimitsSchema, type Access } from '@fastness/model';
import { z } from 'zod';
import { makePrivateDirectory, readJson, writeJson, type Home } from './home.ts';

/** What the owner knows of tenants: the only place where their names are. */
const ledgerSchema = z.strictObject({
  format: z.literal('fastness/tenants/v1'),
  /** Version of the last list that was signed, by model. */
  signed: z.record(z.string(), z.int().min(1)),
  tenants: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
        id: z.string(),
        keys: z.array(z.strictObject({ id: z.string(), sha256: z.string(), madeAt: z.iso.datetime() })),
        limits: tenantLimitsSchema,
      }),
    )
    .max(maxTenants),
});
export type TenantLedger = z.infer<typeof ledgerSchema>;
export type LedgerTenant = TenantLedger['tenants'][number];

const folderOf = (home: Home): string => join(home.path, 'tenants');
const ledgerOf = (home: Home): string => join(folderOf(home), 'tenants.json');

export async function readTenants(home: Home): Promise<TenantLedger> {
  const file = ledgerOf(home);
  if (!existsSync(file)) return { format: 'fastness/tenants/v1', signed: {}, tenants: [] };
  const parsed = ledgerSchema.safeParse(await readJson(file));
  if (!parsed.success) throw new FastnessError('CLI_HOME_DAMAGED', `${file}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export async function writeTenants(home: Home, ledger: TenantLedger): Promise<void> {
  await makePrivateDirectory(folderOf(home));
  await writeJson(ledgerOf(home), ledgerSchema.parse(ledger));
}

export function addTenant(ledger: TenantLedger, name: string, limits: LedgerTenant['limits']): LedgerTenant {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) {
    throw new FastnessError('CLI_USAGE', `${JSON.stringify(name)}: small letters, digits and hyphens, at most 32.`);
  }
  if (ledger.tenants.some((tenant) => tenant.name === name)) {
    throw new FastnessError('CLI_USAGE', `There is a tenant ${name} already.`);
  }
  if (ledger.tenants.length >= maxTenants) throw new FastnessError('CLI_USAGE', `At most ${maxTenants} tenants.`);
  const tenant = { name, id: randomBytes(16).toString('base64url'), keys: [], limits };
  ledger.tenants.push(tenant);
  return tenant;
}

export function tenantNamed(ledger: TenantLedger, name: string): LedgerTenant {
  const found = ledger.tenants.find((tenant) => tenant.name === name);
  if (found === undefined) throw new FastnessError('CLI_USAGE', `There is no tenant ${JSON.stringify(name)}.`);
  return found;
}

/**
 * Makes a key and writes it into a new file that only this user can read: the one place where it is. Keys go into the ledger by
 * their digest.
 */
export async function makeKey(
  home: Home,
  tenant: LedgerTenant,
  target: string | undefined,
): Promise<{ readonly id: string; readonly path: string }> {
  if (tenant.keys.length >= maxKeysOfTenant) {
    throw new FastnessError('CLI_USAGE', `${tenant.name} has ${maxKeysOfTenant} keys; drop one first.`);
  }
  const { key, id, sha256 } = newApiKey();
  const path = target ?? join(folderOf(home), `${tenant.name}-${id}.key`);
  await makePrivateDirectory(folderOf(home));
  try {
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile(`${key}\n`);
    await file.sync();
  } catch (cause) {
    throw new FastnessError('CLI_USAGE', `${path} could not be written as a new file.`, { cause });
  }
  tenant.keys.push({ id, sha256, madeAt: new Date().toISOString() });
  return { id, path };
}

/** The next list for a model; what the host will read has no names. */
export function nextAccess(ledger: TenantLedger, modelId: string, expires: Date): Access {
  return {
    format: 'fastness/access/v1',
    modelId,
    version: (ledger.signed[modelId] ?? 0) + 1,
    expires: expires.toISOString(),
    tenants: ledger.tenants.map(({ id, keys, limits }) => ({
      id,
      keys: keys.map(({ id: keyId, sha256 }) => ({ id: keyId, sha256 })),
      limits,
    })),
  };
}
