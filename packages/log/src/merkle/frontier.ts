import { emptyRoot, webHasher, type TreeHasher } from './hasher.ts';

/**
 * The right edge of a growing tree: the roots of the perfect subtrees it consists of, largest first. Enough to append and to
 * give the root, in memory that grows with the logarithm of the tree.
 */
export interface Frontier {
  readonly size: number;
  /** Adds the hash of the next leaf. One append at a time. */
  append(leafHash: Uint8Array): Promise<void>;
  root(): Promise<Uint8Array>;
}

export function createFrontier(hasher: TreeHasher = webHasher): Frontier {
  const edge: { readonly size: number; readonly hash: Uint8Array }[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    async append(leafHash) {
      let joined = { size: 1, hash: leafHash };
      for (let left = edge.at(-1); left?.size === joined.size; left = edge.at(-1)) {
        edge.pop();
        joined = { size: joined.size * 2, hash: await hasher.node(left.hash, joined.hash) };
      }
      edge.push(joined);
      size += 1;
    },
    async root() {
      let root: Uint8Array | undefined;
      for (const { hash } of edge.toReversed()) root = root === undefined ? hash : await hasher.node(hash, root);
      return root ?? (await emptyRoot());
    },
  };
}
