import type { ErrorFacts } from './class.ts';

/** Codes of the first process of a measured image. */
export const initErrors = Object.freeze({
  INIT_SETTINGS: {
    class: 'usage',
    message: 'The settings of the machine in the image do not follow their schema.',
    next: 'Correct the field named in the detail and build the image again.',
  },
  INIT_MOUNT: {
    class: 'unavailable',
    message: 'A file system of the kernel could not be mounted.',
    next: 'Build the image with a kernel that has it.',
  },
  INIT_MODULE: {
    class: 'unavailable',
    message: 'A kernel module could not be loaded.',
    next: 'Build the image with modules of its own kernel.',
  },
  INIT_NETWORK: {
    class: 'unavailable',
    message: 'The network of the machine could not be set up.',
    next: 'Attach a network card that the image has a driver for (`npm run image -- --platform`), and compare its name with its settings.',
  },
  INIT_DHCP: {
    class: 'unavailable',
    message: 'No DHCP server of the network gave the machine a usable address.',
    next: 'Start a DHCP server on the network of this card, or build the image with a fixed address (`npm run image -- --address`).',
  },
  INIT_HEARTBEAT: {
    class: 'unavailable',
    message: 'Whoever started the enclave did not answer that it has started.',
    next: 'Start the image with nitro-cli, or build it without the heartbeat.',
  },
} as const satisfies Record<string, ErrorFacts>);
