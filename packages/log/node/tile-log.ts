import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { concatBytes, equalBytes, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import {
  encodeEntry,
  encodeProof,
  openCheckpoint,
  parseTilePath,
  proveConsistency,
  proveInclusion,
  rootOf,
  signCheckpoint,
  subtreesOf,
  tilePath,
  tileWidth,
  verifyEntries,
  widthIn,
  type ReadSubtree,
  type SignEd25519,
  type TreeHead,
  type VerifiedCheckpoint,
  type VerifierKey,
} from '@fastness/log';
import { directoryLog } from './directory.ts';
import { durableFiles, type BeforeDiskStep } from './files.ts';
import { nodeHasher } from './hasher.ts';
import { openJournal, readJournal, type JournalFile } from './journal.ts';
import { lockFile } from './lock.ts';
import { openTree, type GrowingTree } from './tree.ts';

/** A signed checkpoint of this log. */
export interface SignedCheckpoint extends TreeHead {
  readonly note: string;
}

/** A log on disk, open for appending. One process has it open at a time. */
export interface TileLog extends AsyncDisposable {
  readonly key: VerifierKey;
  /** Entries that are on disk. */
  readonly size: number;
  /** True once a write failed: nothing more is written, and every append throws `LOG_UNAVAILABLE`. */
  readonly failed: boolean;
  /**
   * Appends entries, up to 65535 bytes each, and resolves with the number of the first when all are on disk (fdatasync).
   * Appends that come while the disk is busy share the next write. @throws LOG_UNAVAILABLE, LOG_ENTRY_LIMIT
   */
  append(entries: readonly Uint8Array[]): Promise<number>;
  /** Size and root of what is on disk, unsigned. */
  head(): Promise<TreeHead>;
  /** A signed checkpoint of every entry that was on disk when this was called. Throws what `sign` throws. */
  checkpoint(): Promise<SignedCheckpoint>;
  /** An offline proof (c2sp.org/tlog-proof) of an entry, with the entry in it. @throws LOG_RANGE */
  prove(index: number): Promise<string>;
  /** Consistency proof from the tree of `oldSize` entries to that of `newSize`. @throws LOG_RANGE */
  proveConsistency(oldSize: number, newSize: number): Promise<Uint8Array[]>;
  /** The leaf hash of an entry. @throws LOG_RANGE */
  leafHash(index: number): Promise<Uint8Array>;
  /** What is served for a path (`checkpoint`, `tile/...`); undefined when there is no such thing. */
  resource(path: string): Promise<Uint8Array | undefined>;
  /** Writes tiles and checkpoint of everything on disk to the folder, where `fastness log verify` reads them. */
  publish(): Promise<SignedCheckpoint>;
  /** Publishes and closes. */
  close(): Promise<void>;
}

export interface TileLogOptions {
  readonly directory: string;
  /** Its name is the origin of the log. */
  readonly key: VerifierKey;
  readonly sign: SignEd25519;
  /** Keys of this log that signed earlier checkpoints. */
  readonly earlierKeys?: readonly VerifierKey[];
  /** Entries after which tiles and checkpoint are written by themselves. Default 4096. */
  readonly publishEvery?: number;
  /** `whole` reads every entry and tile against the checkpoint at the start; `edge` only what its root is made of. */
  readonly check?: 'whole' | 'edge';
  /** Receives what went wrong while publishing by itself; appends are not touched by it. */
  readonly report?: (error: unknown) => void;
  readonly beforeDiskStep?: BeforeDiskStep;
}

interface Waiting {
  readonly framed: readonly Uint8Array[];
  readonly resolve: (first: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens or creates a log. The stored checkpoint is verified with the keys given, and the tiles against it; then what the
 * journal holds beyond it is added. An incomplete final write, which nobody was told about, is cut off.
 *
 * Not protected against: whoever puts the whole folder back to an earlier state (keep checkpoints elsewhere, have witnesses
 * cosign), and a disk that lost acknowledged bytes of the journal which no checkpoint in the folder covers yet.
 * @throws LOG_LOCKED, LOG_STORE_DAMAGED, LOG_TILES_DAMAGED, and for the checkpoint LOG_NOTE_*, LOG_ORIGIN
 */
export async function openTileLog(options: TileLogOptions): Promise<TileLog> {
  const { directory, key } = options;
  const before = options.beforeDiskStep ?? (() => {});
  const temporaryFolder = join(directory, 'tmp');
  const files = durableFiles(temporaryFolder, before);
  const journalFolder = join(directory, 'journal');
  await files.makeFolder(directory);
  await using opening = new AsyncDisposableStack();
  opening.use(lockFile(join(directory, 'lock')));
  // What an earlier process was writing when it ended.
  await rm(temporaryFolder, { recursive: true, force: true });
  await files.makeFolder(temporaryFolder);
  await files.makeFolder(journalFolder);
  const read = directoryLog(directory);
  const stored = await read('checkpoint');
  const published =
    stored === undefined
      ? undefined
      : await openCheckpoint(utf8Decode(stored), { logKeys: [key, ...(options.earlierKeys ?? [])], origin: key.name });
  if (published === undefined && (await readdir(directory)).includes('tile')) {
    // Tiles come before their checkpoint; without a journal from the start, a checkpoint was taken away.
    const journals = await readJournal(journalFolder);
    if (journals[0]?.base !== 0) throw new FastnessError('LOG_STORE_DAMAGED', 'It has tiles and no checkpoint.');
  }
  if (published !== undefined) await checkStored(options, published);
  const tree = await openTree(published?.size ?? 0, read);
  const journals = await readJournal(journalFolder);
  await replay(tree, journals);
  const last = journals.at(-1);
  const journal = await openJournal({ folder: journalFolder, files, before, last, base: tree.size });
  opening.defer(async () => journal.close());
  const resources = opening.move();
  return createTileLog({ options, tree, journal, files, published, release: async () => resources.disposeAsync() });
}

/** Compares what is in the folder with its checkpoint. */
async function checkStored(options: TileLogOptions, head: TreeHead): Promise<void> {
  const source = { read: directoryLog(options.directory), hasher: nodeHasher };
  if (options.check !== 'edge') {
    await verifyEntries(source, head);
    return;
  }
  const tree = await openTree(head.size, source.read);
  const root = await rootOf({ size: head.size, read: subtreesIn(tree, head.size), hasher: nodeHasher });
  if (!equalBytes(root, head.root)) throw new FastnessError('LOG_TILES_DAMAGED', 'Another root.');
}

/** Adds what the journal holds beyond the tiles; what it holds of them has to be the same. */
async function replay(tree: GrowingTree, journals: readonly JournalFile[]): Promise<void> {
  for (const { base, framed } of journals) {
    if (base > tree.size) throw new FastnessError('LOG_STORE_DAMAGED', `Entries ${tree.size} to ${base} are missing.`);
    for (const [place, entry] of framed.entries()) {
      const index = base + place;
      if (index === tree.size) {
        await tree.append(entry);
        continue;
      }
      const leaf = await subtreesIn(tree, tree.size)(0, index);
      if (!equalBytes(leaf, nodeHasher.leaf(entry.subarray(2)))) {
        throw new FastnessError('LOG_STORE_DAMAGED', `Tiles and journal differ in entry ${index}.`);
      }
    }
  }
}

/**
 * Perfect subtrees of the tree of `size` entries. Tiles in memory keep the hashes inside them, which never change, so a proof
 * at the end of the log costs a few hashes; an older tile is read once for each proof.
 */
function subtreesIn(tree: GrowingTree, size: number): ReadSubtree {
  const tiles = new Map<string, Promise<Uint8Array>>();
  const stored = subtreesOf({
    size,
    hasher: nodeHasher,
    readTile: async (name) => {
      const path = tilePath(name);
      const tile = tiles.get(path) ?? tree.readTile(name);
      tiles.set(path, tile);
      return await tile;
    },
  });
  return (level, index) => tree.subtreeInMemory(size, level, index) ?? stored(level, index);
}

async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function createTileLog(state: {
  options: TileLogOptions;
  tree: GrowingTree;
  journal: Awaited<ReturnType<typeof openJournal>>;
  files: ReturnType<typeof durableFiles>;
  published: VerifiedCheckpoint | undefined;
  release: () => Promise<void>;
}): TileLog {
  const { options, tree, journal, files, release } = state;
  const { directory, key, sign, publishEvery = 4096, report = () => {} } = options;
  const before = options.beforeDiskStep ?? (() => {});
  const stored = state.published;
  let published: SignedCheckpoint | undefined = stored;
  let size = tree.size;
  // One that an earlier key signed is signed again.
  let newest: SignedCheckpoint | undefined = stored?.verified.some((signature) => signature.key === key)
    ? published
    : undefined;
  let queue: Waiting[] = [];
  let wanted: { resolve: (checkpoint: SignedCheckpoint) => void; reject: (error: unknown) => void }[] = [];
  let working: Promise<void> | undefined;
  let signing: Promise<void> | undefined;
  let failure: FastnessError | undefined;
  let closed = false;

  const signNewest = async (): Promise<void> => {
    const at = size;
    const root = await rootOf({ size: at, read: subtreesIn(tree, at), hasher: nodeHasher });
    const note = await signCheckpoint({ checkpoint: { origin: key.name, size: at, root }, key, sign });
    newest = { size: at, root, note };
  };
  const checkpoint = async (): Promise<SignedCheckpoint> => {
    const least = size;
    for (;;) {
      if (newest !== undefined && newest.size >= least) return newest;
      signing ??= signNewest().finally(() => {
        signing = undefined;
      });
      await signing;
    }
  };

  /** In the order that a crash cannot hurt: tiles, then the checkpoint over them, then the journal they make superfluous. */
  const publishNow = async (): Promise<SignedCheckpoint> => {
    const next = await checkpoint();
    if (published?.note === next.note) return next;
    const tiles = tree.filesFor(published?.size ?? 0, next.size);
    const folders = [...new Set(tiles.map(({ path }) => dirname(join(directory, path))))];
    for (const folder of folders) await files.makeFolder(folder);
    // At once, so that the disk can join their syncs; all have ended before this goes on or fails.
    await allOf(tiles.map(async ({ path, bytes }) => files.write(join(directory, path), bytes)));
    await allOf(folders.map(async (folder) => files.syncFolder(folder)));
    await files.replace(join(directory, 'checkpoint'), utf8Encode(next.note));
    published = next;
    tree.forgetBelow(next.size);
    // What was appended while this went on is in the journal still, so only a journal that is done with is left behind.
    if (next.size === tree.size) await journal.rotate(next.size);
    for (const { path } of tiles) {
      if (parseTilePath(path)?.width !== tileWidth) continue;
      await before('remove-partial');
      await rm(`${join(directory, path)}.p`, { recursive: true, force: true });
    }
    return next;
  };

  const writeBatch = async (batch: readonly Waiting[]): Promise<void> => {
    const framed = batch.flatMap((waiting) => waiting.framed);
    try {
      await journal.append(size, framed);
      for (const entry of framed) await tree.append(entry);
    } catch (cause) {
      // What reached the disk is unknown now, and a second sync may lie about it: only a new start can tell.
      failure = new FastnessError('LOG_UNAVAILABLE', 'A write failed.', { cause });
      for (const waiting of [...batch, ...queue]) waiting.reject(failure);
      queue = [];
      return;
    }
    let first = size;
    size += framed.length;
    for (const waiting of batch) {
      waiting.resolve(first);
      first += waiting.framed.length;
    }
  };

  // One thing at a time: appends and publishing take turns, so that a publication sees no half-added batch.
  const work = async (): Promise<void> => {
    for (;;) {
      // Whoever was waiting for the last write may append again before the next one begins.
      await nextTurn();
      if (queue.length > 0 && failure === undefined) {
        const batch = queue;
        queue = [];
        await writeBatch(batch);
      }
      const due = size - (published?.size ?? 0) >= publishEvery;
      if ((due || wanted.length > 0) && failure === undefined) {
        const asking = wanted;
        wanted = [];
        try {
          const done = await publishNow();
          for (const { resolve } of asking) resolve(done);
        } catch (error) {
          for (const { reject } of asking) reject(error);
          if (asking.length === 0) report(error);
        }
      }
      if (failure !== undefined) for (const { reject } of wanted.splice(0)) reject(failure);
      if (queue.length === 0 && wanted.length === 0) {
        // In the same turn as the check: what comes later starts anew.
        working = undefined;
        return;
      }
    }
  };

  const publish = async (): Promise<SignedCheckpoint> => {
    if (failure !== undefined) throw failure;
    const done = new Promise<SignedCheckpoint>((resolve, reject) => {
      wanted.push({ resolve, reject });
    });
    working ??= work();
    return await done;
  };

  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    try {
      await working;
      if (failure === undefined) await publish();
    } finally {
      await release();
    }
  };

  return {
    key,
    get size() {
      return size;
    },
    get failed() {
      return failure !== undefined;
    },
    async append(entries) {
      const framed = entries.map(encodeEntry);
      if (failure !== undefined) throw failure;
      if (closed) throw new FastnessError('LOG_UNAVAILABLE', 'It is closed.');
      if (framed.length === 0) return size;
      const written = new Promise<number>((resolve, reject) => {
        queue.push({ framed, resolve, reject });
      });
      working ??= work();
      return await written;
    },
    async head() {
      const at = size;
      return { size: at, root: await rootOf({ size: at, read: subtreesIn(tree, at), hasher: nodeHasher }) };
    },
    checkpoint,
    async prove(index) {
      const covering = await checkpoint();
      const read = subtreesIn(tree, covering.size);
      const hashes = await proveInclusion({ index, size: covering.size, read, hasher: nodeHasher });
      const bundle = Math.floor(index / tileWidth);
      const framed = (await tree.readBundle(bundle, widthIn(covering.size, 'entries', bundle)))[index % tileWidth];
      if (framed === undefined) throw new FastnessError('LOG_RANGE', `Entry ${index} of ${covering.size}.`);
      return encodeProof({ index, hashes, checkpoint: covering.note, extra: framed.subarray(2) });
    },
    proveConsistency: async (oldSize, newSize) => {
      if (newSize > size) throw new FastnessError('LOG_RANGE', `${newSize} of ${size} entries.`);
      return await proveConsistency({ oldSize, newSize, read: subtreesIn(tree, newSize), hasher: nodeHasher });
    },
    leafHash: async (index) => subtreesIn(tree, size)(0, index),
    async resource(path) {
      if (path === 'checkpoint') return utf8Encode((await checkpoint()).note);
      const name = parseTilePath(path);
      if (name === undefined || widthIn(size, name.level, name.index) < name.width) return undefined;
      const { level, index, width } = name;
      const stored = await directoryLog(directory)(tilePath(name));
      if (stored !== undefined) return stored;
      if (level === 'entries') return concatBytes(...(await tree.readBundle(index, width)));
      return (await tree.readTile({ level, index, width })).subarray(0, width * 32);
    },
    publish,
    close,
    [Symbol.asyncDispose]: close,
  };
}
