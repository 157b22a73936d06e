import { FastnessError } from '@fastness/codec/errors';

/**
 * The environment is the host's to write wherever the image does not fix it, and much of what reads it loads code: the
 * dynamic linker, Node, OpenSSL, glibc's converters and the engines, which open whatever library a variable names.
 * Nobody can list all of those, so these few names may be set and every other one is refused.
 */
const accepted: ReadonlySet<string> = new Set(['PATH', 'HOME', 'LANG', 'TZ', 'FASTNESS_SIMULATED_TEE']);

/** What remains, whatever was given: programs are looked up in the image, times are UTC, and nothing else is said. */
const fixed: Readonly<Record<string, string>> = Object.freeze({ PATH: '/usr/bin:/bin', TZ: 'UTC' });

/** Names are the host's text: a few of them, in printable characters, are told. */
const TOLD = 5;

/**
 * Refuses a process with a variable that is not accepted, and sets the accepted ones to fixed values; only the socket of
 * the simulated TEE keeps its own. Call it before anything native is loaded. Writing to `process.env` is setenv(3) and
 * unsetenv(3), so native code and children see the same.
 *
 * Refusing rather than removing: what the dynamic linker, Node and OpenSSL read, they read before the first line of this
 * program, and a variable removed now would only look as if it had not worked. For the same reason this cannot undo what
 * LD_PRELOAD did; where the host can set that, it can start another program as well, and only the measurement tells.
 *
 * @throws ENCLAVE_ENVIRONMENT naming the variables, never their values
 */
export function fixEnvironment(environment: Record<string, string | undefined> = process.env): void {
  const names = Object.keys(environment);
  const refused = names.filter((name) => !accepted.has(name)).sort();
  if (refused.length > 0) {
    const told = refused.slice(0, TOLD).map((name) => name.replaceAll(/[^\x21-\x7e]/gu, '?').slice(0, 64));
    const rest = refused.length > TOLD ? ` and ${refused.length - TOLD} more` : '';
    throw new FastnessError('ENCLAVE_ENVIRONMENT', `${told.join(', ')}${rest}.`);
  }
  for (const name of names) {
    if (name !== 'FASTNESS_SIMULATED_TEE') Reflect.deleteProperty(environment, name);
  }
  Object.assign(environment, fixed);
}
