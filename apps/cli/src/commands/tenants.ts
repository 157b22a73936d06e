import { Command, Option } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { readSealedModel, signAccess, type TenantLimits } from '@fastness/model';
import { action } from '../support/command.ts';
import { parseDuration } from '../support/format.ts';
import { modelDirectory, readHomeConfig } from '../support/home.ts';
import { wholeNumber } from '../support/option-values.ts';
import type { Context } from '../support/run.ts';
import { keyIds, openStore } from '../support/stores.ts';
import {
  addTenant,
  makeKey,
  nextAccess,
  readTenants,
  tenantNamed,
  writeTenants,
  type LedgerTenant,
  type TenantLedger,
} from '../support/tenants.ts';
import { parseLifetime } from './sign.ts';

interface LimitOptions {
  readonly requestsPerMinute?: number;
  readonly tokensPerDay?: number;
  readonly concurrent?: number;
}

interface KeyOptions {
  readonly to?: string;
}

/** `fastness tenants`: who may use a model, and how much; the enclave enforces what was signed. */
export function tenantsCommand(): Command {
  return new Command('tenants')
    .description('who may use a model: API keys and limits that the enclave checks, signed by the owner')
    .addCommand(
      withKeyFile(withLimits(new Command('add')))
        .description('add a tenant and make its first API key')
        .argument('<name>', 'name of the tenant, known to you alone')
        .action(action<LimitOptions & KeyOptions>(add)),
    )
    .addCommand(
      withLimits(new Command('limit'))
        .description('replace the limits of a tenant; what is not given is no limit')
        .argument('<name>', 'name of the tenant')
        .action(
          action<LimitOptions>(async (context, options, [name = '']) =>
            change(context, name, (tenant) => {
              tenant.limits = limitsOf(options);
            }),
          ),
        ),
    )
    .addCommand(
      withKeyFile(new Command('new-key'))
        .description('make a further API key for a tenant, four at most')
        .argument('<name>', 'name of the tenant')
        .action(action<KeyOptions>(newKey)),
    )
    .addCommand(
      new Command('drop-key')
        .description('withdraw one API key of a tenant')
        .argument('<name>', 'name of the tenant')
        .argument('<key-id>', 'the 16 characters that `list` prints')
        .action(
          action(async (context, _options, [name = '', keyId = '']) =>
            change(context, name, (tenant) => {
              const left = tenant.keys.filter(({ id }) => id !== keyId);
              if (left.length === tenant.keys.length) throw new FastnessError('CLI_USAGE', `${name} has no such key.`);
              tenant.keys = left;
            }),
          ),
        ),
    )
    .addCommand(
      new Command('remove')
        .description('remove a tenant with all its keys')
        .argument('<name>', 'name of the tenant')
        .action(
          action(async (context, _options, [name = '']) =>
            change(context, name, (tenant, ledger) => {
              ledger.tenants = ledger.tenants.filter((other) => other !== tenant);
            }),
          ),
        ),
    )
    .addCommand(new Command('list').description('tenants, their keys and limits').action(action(list)))
    .addCommand(
      new Command('sign')
        .description("sign the list with the owner's key and put it beside the sealed model, as access.json")
        .option('--model <id>', 'the sealed model (default: the one sealed last)')
        .addOption(
          new Option(
            '--expires-in <duration>',
            'after that nobody is let in by it, and a host cannot keep a newer one back for longer',
          )
            .argParser(parseLifetime)
            .default(parseDuration('30d'), '30d'),
        )
        .action(action<{ model?: string; expiresIn: number }>(sign)),
    );
}

function withLimits(command: Command): Command {
  return command
    .option('--requests-per-minute <number>', 'requests that begin within a minute (default: no limit)', parseLimit)
    .option('--tokens-per-day <number>', 'of prompts and answers, in a day of UTC (default: no limit)', parseLimit)
    .option('--concurrent <number>', 'requests at the same time (default: no limit)', parseLimit);
}

function withKeyFile(command: Command): Command {
  return command.option('--to <file>', "a new file for the key (default: one in the home's folder tenants)");
}

const parseLimit = wholeNumber(1, 999_999_999);

function limitsOf({ requestsPerMinute, tokensPerDay, concurrent }: LimitOptions): TenantLimits {
  return {
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    ...(tokensPerDay === undefined ? {} : { tokensPerDay }),
    ...(concurrent === undefined ? {} : { concurrent }),
  };
}

async function add(context: Context, options: LimitOptions & KeyOptions, [name = '']: string[]): Promise<void> {
  const ledger = await ledgerOf(context);
  const tenant = addTenant(ledger, name, limitsOf(options));
  await writeKey(context, { ledger, tenant, target: options.to });
}

async function newKey(context: Context, { to }: KeyOptions, [name = '']: string[]): Promise<void> {
  const ledger = await ledgerOf(context);
  await writeKey(context, { ledger, tenant: tenantNamed(ledger, name), target: to });
}

async function writeKey(
  context: Context,
  { ledger, tenant, target }: { ledger: TenantLedger; tenant: LedgerTenant; target: string | undefined },
): Promise<void> {
  const { id, path } = await makeKey(context.home, tenant, target);
  await writeTenants(context.home, ledger);
  context.output.step(
    'key-made',
    `API key ${id} of ${tenant.name} is in ${path}: give it to the tenant and delete it`,
    {
      tenant: tenant.name,
      key: id,
      path,
    },
  );
  remind(context);
}

async function change(
  context: Context,
  name: string,
  work: (tenant: LedgerTenant, ledger: TenantLedger) => void,
): Promise<void> {
  const ledger = await ledgerOf(context);
  work(tenantNamed(ledger, name), ledger);
  await writeTenants(context.home, ledger);
  context.output.step('tenant-changed', `Changed ${name}`, { tenant: name });
  remind(context);
}

function remind({ output }: Context): void {
  output.detail('It takes effect with `fastness tenants sign`, when the enclave next renews its lease');
}

async function list(context: Context): Promise<void> {
  const { tenants, signed } = await ledgerOf(context);
  context.output.result(
    { signed, tenants },
    tenants.flatMap(({ name, keys, limits }) =>
      [`${name}: ${describe(limits)}`].concat(keys.map(({ id, madeAt }) => `    key ${id}, made ${madeAt}`)),
    ),
  );
}

function describe({ requestsPerMinute, tokensPerDay, concurrent }: TenantLimits): string {
  const parts = [
    requestsPerMinute === undefined ? [] : [`${requestsPerMinute} requests a minute`],
    tokensPerDay === undefined ? [] : [`${tokensPerDay} tokens a day`],
    concurrent === undefined ? [] : [`${concurrent} at the same time`],
  ].flat();
  return parts.length === 0 ? 'no limits' : parts.join(', ');
}

async function sign(context: Context, options: { model?: string; expiresIn: number }): Promise<void> {
  const { home, output } = context;
  const ledger = await ledgerOf(context);
  const dir = await modelDirectory(home, options.model);
  const { modelId } = (await readSealedModel(dir)).manifest;
  const access = nextAccess(ledger, modelId, new Date(Date.now() + options.expiresIn));
  await using keyStore = await openStore(home, 'owner');
  // A version is used once, also where the machine stops in between.
  ledger.signed[modelId] = access.version;
  await writeTenants(home, ledger);
  const { path } = await signAccess({ dir, access, keyStore, keyId: keyIds.owner });
  output.step(
    'tenants-signed',
    `${access.tenants.length} tenants of ${modelId}, list ${access.version}, until ${access.expires}: ${path}`,
    { modelId, version: access.version, expires: access.expires, tenants: access.tenants.length, path },
  );
  output.detail('The release has to ask for it: `fastness sign --tenants`, once');
}

async function ledgerOf({ home }: Context): Promise<TenantLedger> {
  await readHomeConfig(home);
  return readTenants(home);
}
