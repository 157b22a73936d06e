import type { ErrorFacts } from './class.ts';

/** Codes of `testkit`: the forge and the simulated TEE. */
export const testkitErrors = Object.freeze({
  TESTKIT_OPTION: {
    class: 'usage',
    message: 'The forge was asked for something it cannot write.',
    next: 'Correct the option; to break one check on purpose use the `edit` and `tamper` hooks.',
  },
  TESTKIT_USAGE: {
    class: 'usage',
    message: 'The simulated TEE was started with wrong arguments.',
    next: 'See the usage line printed with this error.',
  },
  TESTKIT_IMAGE_MISSING: {
    class: 'usage',
    message: 'A path of the image to measure does not exist.',
    next: 'Install the dependencies, or correct the list of paths.',
  },
  TESTKIT_IMAGE_KIND: {
    class: 'usage',
    message: 'The image holds something that is neither a file, a folder nor a symbolic link.',
    next: 'Take sockets, pipes and devices out of the image.',
  },
  TESTKIT_IMAGE_LINK: {
    class: 'usage',
    message: 'A symbolic link in the image leads to something that is not measured.',
    next: 'Add the target of the link to the image, or take the link out.',
  },
  TESTKIT_IMAGE_LIMIT: {
    class: 'limit',
    message: 'The image to measure is larger than the simulated TEE accepts.',
    next: 'List only what the enclave loads.',
  },
  TESTKIT_IMAGE_CHANGED: {
    class: 'conflict',
    message: 'A file of the image changed while it was measured.',
    next: 'Wait for the build or the installation to finish and start again.',
  },
  TESTKIT_STATE: {
    class: 'invalid',
    message: 'The state of the simulated TEE cannot be read.',
    next: 'Delete the state folder; new simulated roots are made, and policies that pin the old one must be updated.',
  },
  TESTKIT_STATE_PERMISSIONS: {
    class: 'conflict',
    message: 'The state of the simulated TEE is readable by other users.',
    next: 'Restrict it with chmod 600, or delete the state folder so that it is made anew.',
  },
  TESTKIT_SOCKET_IN_USE: {
    class: 'conflict',
    message: 'Another simulated TEE answers on this socket.',
    next: 'Stop it, or choose another socket path.',
  },
  TESTKIT_SOCKET_PATH: {
    class: 'usage',
    message: 'The socket path is too long for a Unix socket.',
    next: 'Choose a path of at most 95 characters.',
  },
  TESTKIT_REQUEST: {
    class: 'usage',
    message: 'The request to the simulated TEE is not one it answers.',
    next: 'Send one line of JSON: {"op":"report","reportData":"<128 hex digits>"}.',
  },
  TESTKIT_COMMAND: {
    class: 'unavailable',
    message: 'The command to run inside the simulated TEE could not be started.',
    next: 'Check that the program exists and is executable.',
  },
} as const satisfies Record<string, ErrorFacts>);
