import { readConfig } from '../config.ts';
import { confineProcess, confineToEngine } from '../confine/index.ts';
import { startEnclave } from '../enclave.ts';
import type { Log } from '../log.ts';
import { hardenProcess } from '../memory/index.ts';

/** Hardens and confines this process and runs an enclave in it until a signal ends it. Throws what ended it otherwise. */
export async function runProcess(configFile: string, log: Log): Promise<void> {
  const { config, digest: configDigest } = readConfig(configFile);
  const hardening = hardenProcess({ waivers: config.waivers });
  log('info', 'hardened', { ...hardening });
  log('info', 'confined', { ...confineProcess(config) });
  for (const { check, reason } of config.waivers) log('warn', 'waived', { code: check, detail: reason });
  const enclave = await startEnclave({
    config,
    configDigest,
    hardening,
    log,
    confine: (engine) => log('info', 'confined-to-engine', { engine, noPrograms: confineToEngine(config, engine) }),
  });
  // Not `once`: a package below llama.cpp kills the process itself when nobody else listens any more.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void enclave.close());
  const reason = await enclave.ended;
  if (reason !== undefined) throw reason;
}
