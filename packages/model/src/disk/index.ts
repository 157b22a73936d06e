/** A sealed model as one block device (Node). */
export { type DiskFile } from './layout.ts';
export { readModelDisk } from './read.ts';
export { writeModelDisk } from './write.ts';
