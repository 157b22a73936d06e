import type { ErrorFacts } from './class.ts';

/** Codes of virtual sockets between an enclave and the machine that started it. */
export const vsockErrors = Object.freeze({
  VSOCK_ADDRESS: {
    class: 'usage',
    message: 'This is no address of a virtual socket.',
    next: 'Give a context identifier and a port from 0 to 4294967295; nitro-cli describe-enclaves prints the identifier.',
  },
  VSOCK_UNSUPPORTED: {
    class: 'unavailable',
    message: 'This machine has no virtual sockets.',
    next: 'Load the kernel module vsock and the one of its transport: vhost_vsock or nitro_enclaves outside, vmw_vsock_virtio_transport inside.',
  },
  VSOCK_LISTEN: {
    class: 'unavailable',
    message: 'The address cannot be listened on.',
    next: 'End the process that uses it, or take another port; the detail has the reason of the system.',
  },
  VSOCK_UNREACHABLE: {
    class: 'unavailable',
    message: 'Nobody takes the connection at the other end.',
    next: 'Start what listens there, and compare identifier and port with what it prints; the detail has the reason of the system.',
  },
  VSOCK_CALL: {
    class: 'internal',
    message: 'A call of the C library for sockets failed.',
    next: 'Look at the reason in the detail: a limit on open files is the usual one.',
  },
} as const satisfies Record<string, ErrorFacts>);
