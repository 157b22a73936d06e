import type { Release } from '@fastness/model/release';
import type { Clock } from '../lease.ts';
import { errorFields, type Log } from '../log.ts';
import { AccessList } from './access-list.ts';
import { TenantGate, type Gate } from './gate.ts';

/** The tenants of a release, for as long as the process runs: what they used outlives a lease. */
export class Tenants {
  readonly #list: AccessList;
  readonly #gate: TenantGate;
  readonly #log: Log;

  private constructor(list: AccessList, gate: TenantGate, log: Log) {
    this.#list = list;
    this.#gate = gate;
    this.#log = log;
    this.#use();
  }

  /** Undefined where the release lets everybody in. Throws ENCLAVE_ACCESS_MISSING, ACCESS_*. */
  static async open(options: {
    /** The sealed model. */
    readonly dir: string;
    readonly release: Pick<Release, 'modelId' | 'access'>;
    readonly clock: Clock;
    readonly log: Log;
  }): Promise<Tenants | undefined> {
    const { dir, release, clock, log } = options;
    const list = await AccessList.open(dir, release);
    return list === undefined ? undefined : new Tenants(list, new TenantGate(clock), log);
  }

  /** Of the list in force. */
  get version(): number {
    return this.#list.current.version;
  }

  /** Who is let in while `now`, the time of a lease, goes on. */
  under(now: () => Date): Gate {
    this.#gate.keepTime(now);
    return this.#gate.enter;
  }

  /** Takes a newer list, if there is one; with trouble the one before stays, until it expires. */
  async refresh(): Promise<void> {
    try {
      if (await this.#list.refresh()) this.#use();
    } catch (error) {
      this.#log('warn', 'tenants-not-read', errorFields(error));
    }
  }

  #use(): void {
    const { current } = this.#list;
    this.#gate.use(current);
    this.#log('info', 'tenants', { version: current.version, expires: current.expires });
  }
}
