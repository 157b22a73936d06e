import { readdirSync, readFileSync } from 'node:fs';

/** Memory and handles of a process, as the kernel counts them. */
export interface ProcessFacts {
  /** Resident memory in MiB. */
  readonly residentMiB: number;
  /** Open descriptors; NaN where only root may count them. */
  readonly handles: number;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** The process id of the enclave that was started below `ancestor`, which may be the simulated TEE's. */
export function enclaveBelow(ancestor: number): number {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/u.test(name))
      .map((name) => [Number(name), Number(/^PPid:\s+(\d+)/mu.exec(read(`/proc/${name}/status`))?.[1] ?? 0)]),
  );
  const isBelow = (pid: number): boolean => {
    for (let at = pid; at > 1; at = parents.get(at) ?? 0) if (at === ancestor) return true;
    return false;
  };
  // The program itself: the simulated TEE names the enclave's in its arguments.
  const found = [...parents.keys()].find(
    (pid) =>
      isBelow(pid) &&
      /^[^\0]*node\0(?:--[^\0]*\0)*[^\0]*apps\/enclave\/(?:src|dist)\/main/u.test(read(`/proc/${pid}/cmdline`)),
  );
  if (found === undefined) throw new Error(`No enclave runs below process ${ancestor}.`);
  return found;
}

export function factsOf(pid: number): ProcessFacts {
  const resident = /^VmRSS:\s+(\d+) kB/mu.exec(read(`/proc/${pid}/status`))?.[1];
  if (resident === undefined) throw new Error(`Process ${pid} is gone.`);
  let handles = Number.NaN;
  try {
    handles = readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // Another user's process, or one that is not dumpable and ours without being root.
  }
  return { residentMiB: Number(resident) / 1024, handles };
}
