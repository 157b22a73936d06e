import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { concatBytes, u32le } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { errnoOf } from '@fastness/evidence';
import { kernelCalls } from './kernel-calls.ts';

/** Rights of Landlock by the bits of include/uapi/linux/landlock.h; reading is nobody's concern here. */
const WRITE_FILE = 1n << 1n;
const REMOVE_DIR = 1n << 4n;
const REMOVE_FILE = 1n << 5n;
const MAKE_DIR = 1n << 7n;
const MAKE_ANY = [6n, 7n, 8n, 9n, 10n, 11n, 12n].reduce((bits, bit) => bits | (1n << bit), 0n);
/** Since version 2: moving between folders. Since version 3: cutting. */
const REFER = 1n << 13n;
const TRUNCATE = 1n << 14n;
const CONNECT_TCP = 1n << 1n;
/** Since this version it knows of the network. */
const NETWORK_SINCE = 4;
const [RULE_PATH, RULE_PORT] = [1, 2];

export interface ConfinementRules {
  /** Folders in which files may be made, written and removed. */
  readonly folders: readonly string[];
  /** Files and folders in which what exists may be written to: devices. */
  readonly devices: readonly string[];
  /** Folders in which folders may be made and removed, and files written to: configfs. */
  readonly entries: readonly string[];
  /** Ports that may be connected to by TCP, whatever the address; undefined: any. */
  readonly ports: readonly number[] | undefined;
}

/** `files`: 0 where nothing is confined, else the version of Landlock. `network`: whether connections are. */
export interface ConfinementFacts {
  readonly files: number;
  readonly network: boolean;
}

/**
 * Forbids this process, for good, to write to any file but those of the rules and to connect to any port but theirs. Descriptors that are
 * open, memory files among them, are not touched. The kernel confines the calling thread and those that it starts, so this does
 * nothing where threads for files are there already: call it before anything asynchronous.
 * @throws ENCLAVE_HARDENING when the kernel knows Landlock and refuses
 */
export function confineFiles({ folders, devices, entries, ports }: ConfinementRules): ConfinementFacts {
  const calls = kernelCalls();
  const version = calls.landlockVersion();
  if (version === 0 || hasFileThreads()) return { files: 0, network: false };
  const everything =
    WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_ANY | (version >= 2 ? REFER : 0n) | (version >= 3 ? TRUNCATE : 0n);
  const network = ports !== undefined && version >= NETWORK_SINCE;
  const attributes =
    version >= NETWORK_SINCE ? [u64le(everything), u64le(network ? CONNECT_TCP : 0n)] : [u64le(everything)];
  const ruleset = calls.createRuleset(concatBytes(...attributes));
  if (ruleset < 0) throw refused('landlock_create_ruleset', -ruleset);
  try {
    const allow = (path: string, rights: bigint): void => allowBelow(ruleset, path, rights & everything);
    for (const path of folders) allow(path, everything);
    for (const path of devices) allow(path, WRITE_FILE | TRUNCATE);
    for (const path of entries) allow(path, WRITE_FILE | TRUNCATE | MAKE_DIR | REMOVE_DIR);
    for (const port of network ? ports : []) {
      const failed = calls.addRule(ruleset, RULE_PORT, concatBytes(u64le(CONNECT_TCP), u64le(BigInt(port))));
      if (failed !== 0) throw refused(`port ${port}`, failed);
    }
    const failed = calls.restrictSelf(ruleset);
    if (failed !== 0) throw refused('landlock_restrict_self', failed);
    return { files: version, network };
  } finally {
    closeSync(ruleset);
  }
}

function u64le(value: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([value]).buffer);
}

/** What is not there needs no rule. */
function allowBelow(ruleset: number, path: string, rights: bigint): void {
  let parent: number;
  try {
    parent = openSync(path, O_PATH);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error))) return;
    throw error;
  }
  try {
    const own = fstatSync(parent).isDirectory() ? rights : rights & (WRITE_FILE | TRUNCATE);
    const failed = kernelCalls().addRule(ruleset, RULE_PATH, concatBytes(u64le(own), u32le(parent)));
    if (failed !== 0) throw refused(path, failed);
  } finally {
    closeSync(parent);
  }
}

/** Names a file and reads nothing; Node has no name for it (include/uapi/asm-generic/fcntl.h). */
const O_PATH = 0o10_000_000 | constants.O_RDONLY;

/** The threads in which Node works on files; they keep what they may do when a later thread is confined. */
function hasFileThreads(): boolean {
  return readdirSync('/proc/self/task').some(
    (task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === 'libuv-worker',
  );
}

function refused(what: string, errno: number): FastnessError {
  return new FastnessError('ENCLAVE_HARDENING', `Landlock, ${what}: errno ${errno}.`);
}
