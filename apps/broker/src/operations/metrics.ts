import type { ErrorCode } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import type { AuditKind } from '../audit/facts.ts';
import { withAppend, type AuditLog } from '../audit/log.ts';

/**
 * What a broker counts. Labels come from closed sets (routes of the broker, statuses, codes of the registry, kinds of audit
 * entries), so that nobody outside can make more of them; no label holds an address, a model, a platform or a release.
 */
export interface BrokerMetrics {
  /** A request that was answered. `route` is one of the broker's own names of routes. */
  request(route: string, status: number): void;
  /** A refusal or a fault that a client was told. */
  refusal(code: ErrorCode): void;
  audited(kind: AuditKind): void;
  unwrapped(seconds: number, failed: boolean): void;
  /** An answer of a witness; `name` is one of the configured ones. */
  witnessed(name: string, outcome: ErrorCode | 'cosigned'): void;
  /** Entries of the log that enough witnesses cosigned. */
  cosigned(size: number): void;
  /** The text format of Prometheus, version 0.0.4. `leasesRunning`: undefined when the database cannot say. */
  render(now: { readonly leasesRunning: number | undefined; readonly ready: boolean }): string;
}

/** Upper bounds of the buckets, seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

/** Entries of the log that say that something secret left. */
const releases: Partial<Record<AuditKind, string>> = Object.freeze({
  'key-released': 'key',
  'lease-renewed': 'renewal',
  'resource-released': 'resource',
});

export function createMetrics(): BrokerMetrics {
  const requests = createCounter();
  const refusals = createCounter();
  const released = createCounter();
  const entries = createCounter();
  const storeErrors = createCounter();
  const buckets = bounds.map(() => 0);
  const witnesses = createCounter();
  let cosignedSize: number | undefined;
  let unwraps = { count: 0, seconds: 0, failed: 0 };
  for (const what of Object.values(releases)) released.add({ what }, 0);
  storeErrors.add({}, 0);
  return {
    request: (route, status) => requests.add({ route, status: String(status) }),
    refusal(code) {
      refusals.add({ code });
      if (code.startsWith('BROKER_STORE')) storeErrors.add({});
    },
    audited(kind) {
      entries.add({ kind });
      const what = releases[kind];
      if (what !== undefined) released.add({ what });
    },
    unwrapped(seconds, failed) {
      const { count, seconds: sum, failed: failures } = unwraps;
      unwraps = { count: count + 1, seconds: sum + seconds, failed: failures + (failed ? 1 : 0) };
      for (const [index, bound] of bounds.entries()) if (seconds <= bound) buckets[index] = (buckets[index] ?? 0) + 1;
    },
    witnessed: (name, outcome) => witnesses.add({ witness: name, outcome }),
    cosigned(size) {
      cosignedSize = size;
    },
    render({ leasesRunning, ready }) {
      const { count, seconds, failed } = unwraps;
      const histogram = bounds.map((bound, index) => `${sample({ le: String(bound) })} ${buckets[index] ?? 0}`);
      return [
        family('fastness_requests_total', 'counter', 'Requests answered, by route and status.', requests.lines()),
        family('fastness_releases_total', 'counter', 'Keys, renewals and resources released.', released.lines()),
        family('fastness_refusals_total', 'counter', 'Refusals and faults told to clients, by code.', refusals.lines()),
        family('fastness_audit_entries_total', 'counter', 'Entries of the audit log, by kind.', entries.lines()),
        family('fastness_store_errors_total', 'counter', 'Requests that the database failed.', storeErrors.lines()),
        family('fastness_unwrap_seconds', 'histogram', 'Unwrapping of keys in the key store.', [
          ...histogram.map((line) => `_bucket${line}`),
          `_bucket${sample({ le: '+Inf' })} ${count}`,
          `_sum ${seconds}`,
          `_count ${count}`,
        ]),
        family('fastness_unwrap_failures_total', 'counter', 'Unwraps that failed.', [` ${failed}`]),
        family('fastness_witness_answers_total', 'counter', 'Answers of witnesses, by outcome.', witnesses.lines()),
        ...(cosignedSize === undefined
          ? []
          : [
              family('fastness_log_cosigned_entries', 'gauge', 'Entries that witnesses cosigned.', [
                ` ${cosignedSize}`,
              ]),
            ]),
        ...(leasesRunning === undefined
          ? []
          : [family('fastness_leases_running', 'gauge', 'Leases that have not ended.', [` ${leasesRunning}`])]),
        family('fastness_ready', 'gauge', '1 when the broker could release a key.', [` ${ready ? 1 : 0}`]),
      ].join('');
    },
  };
}

interface Counter {
  add(labels: Readonly<Record<string, string>>, by?: number): void;
  lines(): string[];
}

function createCounter(): Counter {
  const counts = new Map<string, number>();
  return {
    add(labels, by = 1) {
      const key = sample(labels);
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    lines: () => [...counts].map(([labels, count]) => `${labels} ${count}`).toSorted(),
  };
}

function sample(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, '_')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.map((line) => `${name}${line}\n`).join('')}`;
}

/** The same log; what it writes is counted once it is on disk. */
export function countingAudit(log: AuditLog, metrics: BrokerMetrics): AuditLog {
  return withAppend(log, async (kind, facts) => {
    const head = await log.append(kind, facts);
    metrics.audited(kind);
    return head;
  });
}

/** The same key store; unwraps are timed. `clock` in milliseconds. */
export function timedKeyStore(store: KeyStore, metrics: BrokerMetrics, clock: () => number): KeyStore {
  const unwrap: KeyStore['unwrap'] = async (wrapped, context) => {
    const begun = clock();
    let failed = true;
    try {
      const key = await store.unwrap(wrapped, context);
      failed = false;
      return key;
    } finally {
      metrics.unwrapped((clock() - begun) / 1000, failed);
    }
  };
  // Stores have members that only some of them have; all but one stay as they are.
  return new Proxy(store, {
    get(target, name) {
      if (name === 'unwrap') return unwrap;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
