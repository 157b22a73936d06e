import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { policySectionOf } from '@fastness/attest';
import { CONFIDENTIAL_SPACE_SOCKET, openPsaCommand } from '@fastness/evidence';
import { accessOf, faultOf, type DeviceFinding } from './device.ts';

/** What gives evidence that stands alone: an enclave does not take it unasked, and it is no part of a collection. */
export async function tokenSources(options: {
  readonly root: string;
  readonly psa?: string;
}): Promise<readonly DeviceFinding[]> {
  return [await confidentialSpace(join(options.root, CONFIDENTIAL_SPACE_SOCKET)), await psaCommand(options.psa)];
}

/** No token is asked for: Google counts those, and an audience belongs to each. */
async function confidentialSpace(path: string): Promise<DeviceFinding> {
  const finding = { kind: 'Google Confidential Space', path, role: 'alone' as const };
  const state = await accessOf(path);
  if (state === 'usable') {
    return {
      ...finding,
      state,
      detail: 'The launcher is there: its tokens are gcp-confidential-space.',
      next: [],
      policy: { section: policySectionOf['gcp-confidential-space'] },
    };
  }
  const next =
    state === 'missing'
      ? ['Made by the launcher of a Confidential Space image, for the container that it starts.']
      : [`Run as the user whom the launcher lets use ${path}.`];
  return { ...finding, state, detail: state === 'missing' ? 'There is none.' : 'This user may not use it.', next };
}

async function psaCommand(command: string | undefined): Promise<DeviceFinding> {
  const finding = { kind: 'Arm PSA token command', path: command ?? '--psa', role: 'alone' as const };
  if (command === undefined) {
    const next = [
      'Name the command that prints a token for the nonce in its argument: `fastness doctor --psa COMMAND`.',
    ];
    return { ...finding, state: 'missing', detail: 'None was named, and there is no common one.', next };
  }
  try {
    await openPsaCommand({ command }).collect(new Uint8Array(randomBytes(64)));
    const policy = { section: policySectionOf['arm-psa'] };
    return { ...finding, state: 'usable', detail: 'Its tokens are arm-psa.', next: [], policy };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}
