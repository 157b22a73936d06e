import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A name part that says which process made a temporary folder, so that a later run can tell what a dead process left
 * from what a live one is still writing: `<machine>-<boot>-<pid>-<start>-<random>`.
 */
export function newOwnerTag(): string {
  const { machine, boot } = here();
  return [machine, boot, String(process.pid), startOf('self') ?? 'x', randomBytes(4).toString('hex')].join('-');
}

const pattern = /^([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20}|x)-[0-9a-f]{8}$/;

/**
 * Whether the process that made this tag is certainly gone. A tag of another machine or container (another process
 * namespace), or one that cannot be judged, counts as alive: leaving rubbish is safe, deleting live work is not.
 */
export function ownerIsGone(tag: string): boolean {
  const [, machine, boot, pid, start] = pattern.exec(tag) ?? [];
  if (pid === undefined || start === undefined || start === 'x') return false;
  const mine = here();
  if (machine !== mine.machine || mine.boot === unknown) return false;
  return boot !== mine.boot || startOf(pid) !== start;
}

const unknown = '00000000';

function here(): { machine: string; boot: string } {
  try {
    return {
      machine: shortHash(`${hostname()}\n${readlinkSync('/proc/self/ns/pid')}`),
      boot: shortHash(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    };
  } catch {
    return { machine: unknown, boot: unknown };
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** When a process started, in clock ticks since boot (proc(5), stat field 22): a process id alone is used again. */
function startOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in field 2 may hold spaces and brackets; what follows the last bracket begins with field 3.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
