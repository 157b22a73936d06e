import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createShareIntake, shareIntakeSchema, type ShareIntake } from '@fastness/broker';
import { fromBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { readJson, writeJson, type Home } from './home.ts';
import { keyIds } from './stores.ts';

/** Beside the broker's other state. It holds no secret: the private half is wrapped. */
function intakeFile(home: Home): string {
  return join(home.brokerDirectory, 'share-intake.json');
}

/** The key of this home's card; undefined where none was made. Throws CLI_HOME_DAMAGED. */
export async function homeIntake(home: Home): Promise<ShareIntake | undefined> {
  const path = intakeFile(home);
  if (!existsSync(path)) return undefined;
  const parsed = shareIntakeSchema.safeParse(await readJson(path));
  if (!parsed.success) throw new FastnessError('CLI_HOME_DAMAGED', path);
  return parsed.data;
}

/** Makes one and keeps it; the one before, if there is one, takes nothing in any more. */
export async function makeHomeIntake(home: Home, keyStore: KeyStore): Promise<ShareIntake> {
  const intake = await createShareIntake({ keyStore, keyId: keyIds.kek });
  await writeJson(intakeFile(home), intake);
  return intake;
}

/** How people compare the key of a broker: SHA-256 of its SubjectPublicKeyInfo, hex, as the broker's audit log has it. */
export function fingerprintOf(brokerKey: string): string {
  return createHash('sha256').update(fromBase64Url(brokerKey)).digest('hex');
}
