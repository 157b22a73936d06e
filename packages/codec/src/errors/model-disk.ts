import type { ErrorFacts } from './class.ts';

/** Codes of sealed models on block devices. */
export const modelDiskErrors = Object.freeze({
  MODEL_DISK_UNREADABLE: {
    class: 'unavailable',
    message: 'The disk with the sealed model cannot be read.',
    next: 'Attach the image that `fastness disk` wrote to the machine, as its first virtio disk.',
  },
  MODEL_DISK_MAGIC: {
    class: 'not-mine',
    message: 'The disk holds no sealed model.',
    next: 'Write one with `fastness disk`; file systems are not read.',
  },
  MODEL_DISK_INDEX: {
    class: 'invalid',
    message: 'The list of files on the disk does not have its form.',
    next: 'Write the disk again; names may have letters, digits, dots, hyphens and underscores.',
  },
  MODEL_DISK_TOO_LARGE: {
    class: 'limit',
    message: 'The model on the disk does not fit into the memory set aside for it.',
    next: 'Give the machine more memory.',
  },
  MODEL_DISK_TRUNCATED: {
    class: 'invalid',
    message: 'The disk ends before its last file does.',
    next: 'Write the disk again, and attach all of it.',
  },
  MODEL_DISK_SOURCE: {
    class: 'invalid',
    message: 'The folder of the sealed model cannot be copied as it is.',
    next: 'Give the folder of a sealed model, and leave it alone while it is copied.',
  },
} as const satisfies Record<string, ErrorFacts>);
