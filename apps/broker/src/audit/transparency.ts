import { createHash } from 'node:crypto';
import { equalBytes, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { createFrontier, verifierKeyOf, type VerifierKey } from '@fastness/log';
import { nodeHasher, openTileLog, type TileLog } from '@fastness/log/node';
import type { AuditMirror } from './log.ts';

/**
 * The audit log as a transparency log: entry number N of the audit log is leaf N - 1 of an RFC 6962 tree, its line (without the
 * newline) the leaf. So whoever has a signed checkpoint notices when an entry is changed, left out or put in afterwards,
 * and one entry can be shown without the others.
 */
export interface Transparency extends AsyncDisposable {
  /** The key that signs checkpoints; its name is the origin of the log. Releases name it as `logKey`. */
  readonly key: VerifierKey;
  readonly log: TileLog;
  /** Keeps the tree beside the audit log; given to `openAuditLog`. */
  readonly mirror: AuditMirror;
  /** To be given every line of the audit log at the start, in order. */
  see(line: string): void;
  /**
   * Compares what was seen with the tree and adds what the tree lacks. @throws AUDIT_CHAIN_BROKEN when the tree holds other
   * entries, or more of them: the audit log was changed or cut.
   */
  catchUp(): Promise<void>;
  /** An offline proof that entry number `seq` is logged, with the entry in it (c2sp.org/tlog-proof). */
  prove(seq: number): Promise<string>;
}

export interface TransparencyOptions {
  readonly directory: string;
  readonly key: VerifierKey;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
  readonly earlierKeys?: readonly VerifierKey[];
  /** Tiles and checkpoint are written to the folder so often, when there is something new. Default 10 s. */
  readonly publishIntervalMs?: number;
  readonly report: (error: unknown) => void;
}

/**
 * The log key of a broker. Unless its configuration names another, the origin of the log is `fastness-broker/` and the first
 * half of the SHA-256 of the broker's key, and that key signs the log.
 * @param spki Ed25519, 44 bytes of DER
 */
export async function brokerLogKey(spki: Uint8Array, origin = `fastness-broker/${idOf(spki)}`): Promise<VerifierKey> {
  return await verifierKeyOf({ name: origin, publicKey: spki.slice(-32) });
}

const idOf = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex').slice(0, 32);

/** Throws as `openTileLog` does. */
export async function openTransparency(options: TransparencyOptions): Promise<Transparency> {
  const { directory, key, sign, report, earlierKeys = [], publishIntervalMs = 10_000 } = options;
  const log = await openTileLog({ directory, key, sign, earlierKeys, report });
  const seen = createFrontier(nodeHasher);
  const lines: string[] = [];
  const expected = log.size;
  let caughtUp: Promise<void> | undefined;

  const compareAndAdd = async (): Promise<void> => {
    if (lines.length < expected) {
      throw new FastnessError(
        'AUDIT_CHAIN_BROKEN',
        `The transparency log has ${expected} entries, the audit log ${lines.length}.`,
      );
    }
    for (const line of lines.slice(0, expected)) await seen.append(nodeHasher.leaf(utf8Encode(line)));
    if (!equalBytes(await seen.root(), (await log.head()).root)) {
      throw new FastnessError('AUDIT_CHAIN_BROKEN', `The transparency log has other entries up to ${expected}.`);
    }
    for (let at = expected; at < lines.length; at += 1024) {
      await log.append(lines.slice(at, at + 1024).map(utf8Encode));
    }
    lines.length = 0;
  };
  const catchUp = async (): Promise<void> => {
    caughtUp ??= compareAndAdd();
    await caughtUp;
  };

  let publishedSize = log.size;
  const publishing = setInterval(() => {
    if (log.failed || log.size === publishedSize) return;
    publishedSize = log.size;
    log.publish().catch(report);
  }, publishIntervalMs);
  publishing.unref();

  return {
    key,
    log,
    catchUp,
    see(line) {
      lines.push(line);
    },
    mirror: {
      async append(added) {
        await catchUp();
        await log.append(added);
      },
    },
    prove: async (seq) => log.prove(seq - 1),
    async [Symbol.asyncDispose]() {
      clearInterval(publishing);
      await log.close();
    },
  };
}
