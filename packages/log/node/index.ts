export { nodeHasher } from './hasher.ts';
export { directoryLog } from './directory.ts';
export { openTileLog, type SignedCheckpoint, type TileLog, type TileLogOptions } from './tile-log.ts';
export { openWitnessStore } from './witness-store.ts';
export { serveWitness } from './witness-server.ts';
export type { BeforeDiskStep } from './files.ts';
