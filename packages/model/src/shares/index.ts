export { checkShare, shareContext } from './commit.ts';
export { releaseSharesOf } from './release-shares.ts';
export { checkSharing, joinShares, splitRoot, type SplitRoot } from './split.ts';
