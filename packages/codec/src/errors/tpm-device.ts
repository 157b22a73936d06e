import type { ErrorFacts } from './class.ts';

/** Codes of the command layer that talks to a TPM 2.0 of this machine. Those of quotes begin with `TPM_` alone. */
export const tpmDeviceErrors = Object.freeze({
  TPM_DEVICE_ARGUMENT: {
    class: 'usage',
    message: 'The call to the TPM is not one that it could understand.',
    next: 'Correct the argument that the detail names.',
  },
  TPM_DEVICE_UNREACHABLE: {
    class: 'unavailable',
    message: 'The TPM cannot be reached.',
    next: 'Check that the device or socket exists and that this user may open it (group tss for /dev/tpmrm0).',
  },
  TPM_DEVICE_TIMEOUT: {
    class: 'unavailable',
    message: 'The TPM did not answer in time.',
    next: 'Open the TPM again; swtpm serves one program at a time, so stop a broker that has it. If it persists, restart the machine or the emulator.',
  },
  TPM_DEVICE_CLOSED: {
    class: 'unavailable',
    message: 'The connection to the TPM is closed.',
    next: 'Open the TPM again.',
  },
  TPM_DEVICE_RESPONSE: {
    class: 'invalid',
    message: 'The answer of the TPM is malformed, or is not the answer to this command.',
    next: 'Do not rely on this TPM: something between it and this program changes or invents answers, or it is faulty.',
  },
  TPM_DEVICE_BUSY: {
    class: 'unavailable',
    message: 'The TPM asked to try again, each time.',
    next: 'Wait, and send fewer commands that write: a TPM slows down writes to spare its memory.',
  },
  TPM_DEVICE_NOT_STARTED: {
    class: 'unavailable',
    message: 'The TPM was not started.',
    next: 'Let the firmware start the TPM, or start the emulator with startup-clear.',
  },
  TPM_DEVICE_FAILURE: {
    class: 'unavailable',
    message: 'The TPM is in failure mode.',
    next: 'Restart the machine; if it persists, the TPM is broken and what it holds is lost.',
  },
  TPM_DEVICE_LOCKOUT: {
    class: 'unauthorized',
    message: 'The TPM refuses passwords for now, after too many wrong ones.',
    next: 'Find out who guesses; wait for the lockout to end, or end it with the lockout password.',
  },
  TPM_DEVICE_AUTH: {
    class: 'unauthorized',
    message: 'The password is not the one that the TPM holds.',
    next: 'Give the password of the object, index or hierarchy that the command in the detail uses.',
  },
  TPM_DEVICE_POLICY: {
    class: 'denied',
    message: 'The policy of the TPM is not met: a register or a counter is not what the policy asks for.',
    next: 'Boot the software that the secret was sealed for, with state that is not older than the counter.',
  },
  TPM_DEVICE_HANDLE: {
    class: 'conflict',
    message: 'The TPM has no such object or index.',
    next: 'Check the handle. An index that was there before was undefined: find out by whom.',
  },
  TPM_DEVICE_NV_DEFINED: {
    class: 'conflict',
    message: 'The index is defined already.',
    next: 'Choose another index, or use the one that is there after comparing its public area.',
  },
  TPM_DEVICE_NV_UNWRITTEN: {
    class: 'conflict',
    message: 'The index was defined but never written.',
    next: 'Write or increment it first.',
  },
  TPM_DEVICE_NV_SPACE: {
    class: 'limit',
    message: 'The TPM has no room for the index.',
    next: 'Undefine an index that is no longer used.',
  },
  TPM_DEVICE_NV_ACCESS: {
    class: 'denied',
    message: 'The index cannot be read or written this way, or it is locked.',
    next: 'Check the attributes of the index.',
  },
  TPM_DEVICE_FULL: {
    class: 'limit',
    message: 'The TPM has no room for another object or session.',
    next: 'Close programs that use the TPM without a resource manager, or use /dev/tpmrm0.',
  },
  TPM_DEVICE_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The TPM does not know this command or algorithm.',
    next: 'Update the firmware of the TPM, or choose what it supports.',
  },
  TPM_DEVICE_REFUSED: {
    class: 'unavailable',
    message: 'The TPM refused the command.',
    next: 'Look up the response code in the detail (TPM 2.0 Library, part 2, TPM_RC).',
  },
  TPM_DEVICE_CERTIFY: {
    class: 'invalid',
    message: 'What the TPM certified is not signed by the expected key, or is about something else.',
    next: 'Do not rely on this TPM: it is another one than before, or something between it and this program invents answers.',
  },
} as const satisfies Record<string, ErrorFacts>);
