/** A sealed model as one block device, or a stream with the same bytes (Node). */
export { type DiskFile } from './layout.ts';
export { readModelDisk, type DiskSource } from './read.ts';
export { streamSource } from './stream.ts';
export { writeModelDisk } from './write.ts';
