import { arch } from 'node:process';
import { FastnessError } from '@fastness/codec/errors';
import { ENOSYS, kernelCalls } from './kernel-calls.ts';

/** Numbers of one architecture (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h, linux/audit.h). */
interface Numbers {
  readonly audit: number;
  readonly seccomp: number;
  readonly socket: number;
  readonly clone: number;
  /** Calls of another convention begin here. */
  readonly foreign?: number;
  /** What starts a program or a process by its number alone. */
  readonly start: readonly number[];
  /** What no enclave needs: reading and steering other processes, and changing the machine. */
  readonly never: readonly number[];
}

/**
 * The same everywhere: new rings of io_uring, whose work no filter sees; mounts by descriptor; pidfd_getfd. Node has a ring already,
 * for its event loop, and goes on using it: what it does is confined by Landlock like everything else.
 */
const common = Object.freeze([425, 427, 428, 429, 430, 431, 432, 433, 438, 442]);
const CLONE3 = 435;

const architectures: Readonly<Record<string, Numbers>> = Object.freeze({
  x64: {
    audit: 0xc000_003e,
    seccomp: 317,
    socket: 41,
    clone: 56,
    foreign: 0x4000_0000,
    // execve, execveat, fork, vfork
    start: [59, 322, 57, 58],
    // ptrace, process_vm_readv and _writev, bpf, perf_event_open, userfaultfd, kexec_load and _file_load, the three of modules,
    // mount, umount2, pivot_root, chroot, unshare, setns, the three of keys, swapon, swapoff, open_by_handle_at
    never: [
      101, 310, 311, 321, 298, 323, 246, 320, 175, 313, 176, 165, 166, 155, 161, 272, 308, 248, 249, 250, 167, 168, 304,
    ],
  },
  arm64: {
    audit: 0xc000_00b7,
    seccomp: 277,
    socket: 198,
    clone: 220,
    start: [221, 281],
    never: [
      117, 270, 271, 280, 241, 282, 104, 294, 105, 273, 106, 40, 39, 41, 51, 97, 268, 217, 218, 219, 224, 225, 265,
    ],
  },
});

const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const [ALLOW, KILL, ERRNO] = [0x7fff_0000, 0x8000_0000, 0x0005_0000];
const [EPERM, EACCES] = [1, 13];
const CLONE_THREAD = 0x1_0000;
const STREAM = 1;
const families = Object.freeze({ unix: 1, inet: 2, inet6: 10, netlink: 16, vsock: 40 });
/** Offsets in struct seccomp_data; arguments have eight bytes, the lower half first. */
const at = Object.freeze({ number: 0, audit: 4, first: 16, second: 24 });

/** One instruction of struct sock_filter: code, where to go on (from the next one) if true, if false, operand. */
type Instruction = readonly [code: number, yes: number, no: number, operand: number];
const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const mask = (bits: number): Instruction => [0x54, 0, 0, bits];
const unless = (value: number, skip: number): Instruction => [0x15, 0, skip, value];
const unlessBit = (bits: number, skip: number): Instruction => [0x45, 0, skip, bits];
const unlessAtLeast = (value: number, skip: number): Instruction => [0x35, 0, skip, value];
const answer = (value: number): Instruction => [0x06, 0, 0, value];
const refuse = (value: number, errno = EPERM): readonly Instruction[] => [unless(value, 1), answer(ERRNO | errno)];

/** A filter that looks at calls of this architecture alone: one struct sock_filter after another. */
function encodeFilter({ audit, foreign }: Numbers, rules: readonly Instruction[]): Uint8Array {
  const instructions: readonly Instruction[] = [
    load(at.audit),
    [0x15, 1, 0, audit],
    answer(KILL),
    load(at.number),
    ...(foreign === undefined ? [] : [unlessAtLeast(foreign, 1), answer(ERRNO | EPERM)]),
    ...rules,
    answer(ALLOW),
  ];
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, yes, no, operand], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, yes);
    view.setUint8(index * 8 + 3, no);
    view.setUint32(index * 8 + 4, operand >>> 0, true);
  });
  return new Uint8Array(view.buffer);
}

/** Threads are made by clone; glibc takes that where clone3, whose flags a filter cannot see, is said not to be there. */
function startsNothing({ start, clone }: Numbers): readonly Instruction[] {
  return [
    ...start.flatMap((number) => refuse(number)),
    ...refuse(CLONE3, ENOSYS),
    unless(clone, 4),
    load(at.first),
    unlessBit(CLONE_THREAD, 1),
    answer(ALLOW),
    answer(ERRNO | EPERM),
  ];
}

/** Streams of the Internet's families, vsock, and what stays on this machine. Comes last: it loads something else. */
function sockets({ socket }: Numbers, names: boolean): readonly Instruction[] {
  const allowed = (family: number): readonly Instruction[] => [unless(family, 1), answer(ALLOW)];
  const { unix, inet, inet6, netlink, vsock } = families;
  const internet: readonly Instruction[] = names
    ? [inet, inet6, netlink].flatMap(allowed)
    : [[0x15, 1, 0, inet], unless(inet6, 4), load(at.second), mask(0xf), unless(STREAM, 1), answer(ALLOW)];
  const body = [load(at.first), ...allowed(unix), ...allowed(vsock), ...internet, answer(ERRNO | EACCES)];
  return [unless(socket, body.length), ...body];
}

/**
 * Forbids to every thread of this process, to those to come and to its children, for good: to steer or read other processes, to
 * change the machine, new rings of io_uring, sockets but streams. `names`: whether names have to be looked up, which takes
 * datagrams and the kernel's list of addresses. @returns false where the kernel has no filters, or this architecture is not known here
 * @throws ENCLAVE_HARDENING when it refuses
 */
export function forbidCalls({ names }: { readonly names: boolean }): boolean {
  return install((numbers) => [
    ...[...common, ...numbers.never].flatMap((number) => refuse(number)),
    ...sockets(numbers, names),
  ]);
}

/** Forbids to start programs and processes; otherwise as {@link forbidCalls}, beside which it stands. */
export function forbidPrograms(): boolean {
  return install(startsNothing);
}

/** Needs no_new_privs (seccomp(2)). */
function install(rulesOf: (numbers: Numbers) => readonly Instruction[]): boolean {
  const numbers = architectures[arch];
  if (numbers === undefined) return false;
  const failed = kernelCalls().filter(numbers.seccomp, {
    operation: SECCOMP_SET_MODE_FILTER,
    flags: SECCOMP_FILTER_FLAG_TSYNC,
    instructions: encodeFilter(numbers, rulesOf(numbers)),
  });
  if (failed === ENOSYS) return false;
  if (failed !== 0) throw new FastnessError('ENCLAVE_HARDENING', `seccomp: errno ${failed}.`);
  return true;
}
