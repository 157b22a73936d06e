import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { decodePem, toBase64Url, toHex } from '@fastness/codec';
import type { KeyStore } from '@fastness/keys';
import { parseVerifierKey } from '@fastness/log';
import { readSealedModel, releaseSharesOf, signRelease } from '@fastness/model';
import {
  measurementBytes,
  parseRelease,
  releaseDigestOf,
  releaseSchema,
  releaseTees,
  trafficProfiles,
  type Release,
  type TrafficProfileName,
} from '@fastness/model/release';
import { action } from '../support/command.ts';
import { parseDuration, shortHex } from '../support/format.ts';
import { logKeyOf } from '../support/log-source.ts';
import { modelDirectory, readHomeConfig, readText, type Home } from '../support/home.ts';
import { collect, duration, wholeNumber } from '../support/option-values.ts';
import type { Context } from '../support/run.ts';
import { fingerprintOf } from '../support/share-intake.ts';
import { simulatedTrust } from '../support/simulated.ts';
import { keyIds, openStore } from '../support/stores.ts';
import { readTenants } from '../support/tenants.ts';

export interface SignOptions {
  readonly model?: string;
  readonly releaseVersion?: number;
  readonly expiresIn: number;
  readonly measurement?: string[];
  readonly traffic?: TrafficProfileName;
  readonly logKey?: string[];
  readonly tenants?: boolean;
  readonly certificate?: string;
}

const defaultLifetime = '90d';
const longestLifetime = 10 * 366 * 86_400_000;

export function parseLifetime(text: string): number {
  const value = duration(text);
  if (value > longestLifetime) throw new InvalidArgumentError('Ten years at most.');
  return value;
}

export function signCommand(): Command {
  return new Command('sign')
    .description("sign a release of a sealed model with the owner's key: which weights, which enclave, until when")
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--release-version <number>', 'must be higher than any version before (default: the next)', wholeNumber(1))
    .addOption(
      new Option('--expires-in <duration>', 'lifetime of the release, such as 90d or 12h')
        .argParser(parseLifetime)
        .default(parseDuration(defaultLifetime), defaultLifetime),
    )
    .option(
      '--measurement <[tee:]hex>',
      'measurement of an enclave that may open it, such as tdx:HEX or aws-nitro:HEX (without a TEE: sev-snp), repeatable (default with the simulated TEE: this checkout)',
      collect,
    )
    .option(
      '--log-key <key>',
      "key of the log of a broker that may give out the key, repeatable for brokers that serve one fleet (default: as a release before that named several, or that of the home's broker)",
      collect,
    )
    .option(
      '--certificate <file>',
      "sign by certificate, for verifiers that ask for one: PEM, that of the owner's key first, up to the root",
    )
    .option('--tenants', 'let in only those that `fastness tenants` lists (default: as the release before)')
    .option('--no-tenants', 'let everybody in who reaches the enclave')
    .addOption(
      new Option(
        '--traffic <profile>',
        'the least that enclaves do to hide sizes and times of answers (default: as the release before, or nothing promised)',
      ).choices(trafficProfiles),
    )
    .action(action<SignOptions>(async (context, options) => void (await signHome(context, options))));
}

/** The logs that a release names: without any given, that of the home's broker. */
async function logsOf(
  home: Home,
  brokerKey: Uint8Array,
  given: readonly string[] | undefined,
): Promise<Pick<Release, 'logKey' | 'logKeys'>> {
  const [first, ...more] = given ?? [(await logKeyOf(home, brokerKey)).text];
  for (const key of given ?? []) await parseVerifierKey(key);
  return first !== undefined && more.length === 0 ? { logKey: first } : { logKeys: [...(given ?? [])] };
}

export async function signHome(
  context: Context,
  options: SignOptions,
): Promise<{ releaseDigest: string; version: number }> {
  const { home, output } = context;
  const config = await readHomeConfig(home);
  const dir = await modelDirectory(home, options.model);
  const { manifest, keys } = await readSealedModel(dir);
  const previous = await readPreviousRelease(dir);
  const version = options.releaseVersion ?? (previous?.version ?? 0) + 1;
  if (previous !== undefined && version <= previous.version) {
    throw new FastnessError(
      'CLI_USAGE',
      `Version ${version} is not higher than ${previous.version}, which is signed already.`,
    );
  }
  const keyShares = releaseSharesOf(manifest, keys);
  if (keyShares !== undefined && options.logKey !== undefined)
    throw new FastnessError('CLI_USAGE', '--log-key: the logs of brokers that share a key are those of their cards.');
  await using owner = await openStore(home, 'owner');
  const now = new Date();
  const traffic = options.traffic ?? previous?.traffic;
  const tenants = options.tenants ?? previous?.access !== undefined;
  const release: Release = releaseSchema.parse({
    format: 'fastness/release/v1',
    modelId: manifest.modelId,
    version,
    notBefore: now.toISOString(),
    expires: new Date(now.getTime() + options.expiresIn).toISOString(),
    measurements: await measurementsFor(context, config.tee, options.measurement),
    ...(keyShares === undefined ? await ownBroker(home, options.logKey ?? previous?.logKeys) : { keyShares }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(tenants ? { access: await accessRule(home, owner, manifest.modelId) } : {}),
  });
  const certificates = options.certificate === undefined ? undefined : await readCertificates(options.certificate);
  await signRelease({
    dir,
    release,
    keyStore: owner,
    keyId: keyIds.owner,
    ...(certificates === undefined ? {} : { certificates }),
  });
  const releaseDigest = toHex(await releaseDigestOf(await readText(join(dir, 'model.sig'))));
  output.step(
    'release-signed',
    `Release ${manifest.modelId} v${version} signed by the owner (OpenSSF Model Signing, ECDSA P-384), digest ${shortHex(releaseDigest)}, until ${release.expires}`,
    { modelId: manifest.modelId, version, releaseDigest, expires: release.expires, measurements: release.measurements },
  );
  for (const { index, brokerKey } of keyShares?.brokers ?? [])
    output.detail(`Share ${index}: the broker with key ${fingerprintOf(brokerKey)}`);
  return { releaseDigest, version };
}

async function readCertificates(path: string): Promise<Uint8Array[]> {
  const text = await readText(path);
  try {
    return decodePem(text, 'CERTIFICATE', { maxBlocks: 8 });
  } catch (cause) {
    throw new FastnessError('CLI_USAGE', `--certificate ${path}: it is not a list of certificates in PEM.`, { cause });
  }
}

/** No list of tenants older than the last one that was signed counts under this release. */
async function accessRule(home: Home, owner: KeyStore, modelId: string): Promise<NonNullable<Release['access']>> {
  const { signed } = await readTenants(home);
  return { key: toBase64Url(await owner.publicKey(keyIds.owner)), leastVersion: signed[modelId] ?? 1 };
}

/** The broker of this home, and the logs; see `logsOf`. */
async function ownBroker(
  home: Context['home'],
  logKeys: readonly string[] | undefined,
): Promise<Pick<Release, 'brokerKey' | 'logKey' | 'logKeys'>> {
  await using broker = await openStore(home, 'broker');
  const brokerKey = await broker.publicKey(keyIds.broker);
  return { brokerKey: toBase64Url(brokerKey), ...(await logsOf(home, brokerKey, logKeys)) };
}

async function measurementsFor(
  context: Context,
  tee: 'simulated' | 'auto',
  given: readonly string[] | undefined,
): Promise<Release['measurements']> {
  if (given !== undefined) return given.map((text) => measurementOf(text, tee === 'simulated'));
  if (tee !== 'simulated') {
    throw new FastnessError(
      'CLI_USAGE',
      'Name the enclave that may open the model: --measurement HEX (the launch measurement of your image).',
    );
  }
  return [{ tee: 'sev-snp', simulated: true, value: (await simulatedTrust(context.home)).measurement }];
}

/** "tdx:HEX", or HEX alone for SEV-SNP. On a simulated home those are simulated enclaves; a production policy never accepts them. */
function measurementOf(text: string, simulatedHome: boolean): Release['measurements'][number] {
  const [, name = 'sev-snp', hex = ''] = /^(?:([a-z-]+):)?([0-9a-f]*)$/i.exec(text) ?? [];
  const tee = releaseTees.find((each) => each === name);
  const value = hex.toLowerCase();
  if (tee === undefined)
    throw new FastnessError(
      'CLI_USAGE',
      `--measurement ${JSON.stringify(text)}: the TEE is one of ${releaseTees.join(', ')}.`,
    );
  const lengths = measurementBytes[tee];
  if (!lengths.some((bytes) => value.length === 2 * bytes))
    throw new FastnessError('CLI_USAGE', `--measurement of ${tee} is ${lengths.join(' or ')} bytes in hex.`);
  return { tee, simulated: simulatedHome && tee === 'sev-snp', value };
}

async function readPreviousRelease(dir: string): Promise<Release | undefined> {
  const path = join(dir, 'release.json');
  if (!existsSync(path)) return undefined;
  return parseRelease(await readText(path));
}
