import koffi from 'koffi';
import { FastnessError } from '@fastness/codec/errors';

/** errno where a call worked: 0. */
type Failed = number;

/** The calls that confine a process, which the C library has no functions for; loaded on first use. */
export interface KernelCalls {
  /** seccomp(2). */
  filter(
    number: number,
    call: { readonly operation: number; readonly flags: number; readonly instructions: Uint8Array },
  ): Failed;
  /** The version of Landlock, or 0 where there is none. */
  landlockVersion(): number;
  /** landlock_create_ruleset(2): a descriptor, or a negative errno. */
  createRuleset(attributes: Uint8Array): number;
  /** landlock_add_rule(2). */
  addRule(ruleset: number, kind: number, attributes: Uint8Array): Failed;
  /** landlock_restrict_self(2), for the thread that calls and those that it starts. */
  restrictSelf(ruleset: number): Failed;
}

export const ENOSYS = 38;

/** The same on every architecture (include/uapi/asm-generic/unistd.h). */
const numbers = Object.freeze({ createRuleset: 444, addRule: 445, restrictSelf: 446 });
const LANDLOCK_CREATE_RULESET_VERSION = 1;

let loaded: KernelCalls | undefined;

/** Throws ENCLAVE_HARDENING where there is no glibc to call. */
export function kernelCalls(): KernelCalls {
  loaded ??= load();
  return loaded;
}

function load(): KernelCalls {
  let library;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new FastnessError('ENCLAVE_HARDENING', 'The C library (libc.so.6) cannot be called.', { cause });
  }
  koffi.struct('fastness_sock_fprog', { count: 'uint16', instructions: 'const uint8_t *' });
  const filter = library.func('syscall', 'long', ['long', 'unsigned int', 'unsigned int', 'fastness_sock_fprog *']);
  const create = library.func('syscall', 'long', ['long', 'const uint8_t *', 'size_t', 'uint32_t']);
  const add = library.func('syscall', 'long', ['long', 'int', 'int', 'const uint8_t *', 'uint32_t']);
  const restrict = library.func('syscall', 'long', ['long', 'int', 'uint32_t']);
  const failedBy = (result: unknown): Failed => (Number(result) === -1 ? koffi.errno() : 0);
  return {
    filter: (number, { operation, flags, instructions }) => {
      const program = { count: instructions.length / 8, instructions };
      const result = Number(filter(number, operation, flags, program));
      // With TSYNC a positive number is the thread that could not take the filter.
      return result > 0 ? result : failedBy(result);
    },
    landlockVersion: () => {
      const version = Number(create(numbers.createRuleset, null, 0, LANDLOCK_CREATE_RULESET_VERSION));
      return Math.max(0, version);
    },
    createRuleset: (attributes) => {
      const result = Number(create(numbers.createRuleset, attributes, attributes.length, 0));
      return result === -1 ? -koffi.errno() : result;
    },
    addRule: (ruleset, kind, attributes) => failedBy(add(numbers.addRule, ruleset, kind, attributes, 0)),
    restrictSelf: (ruleset) => failedBy(restrict(numbers.restrictSelf, ruleset, 0)),
  };
}
