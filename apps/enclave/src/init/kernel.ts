import koffi from 'koffi';
import { readFileSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';

/** What the first process of a machine asks of Linux on x86-64 and arm64, through the C library. */
export interface Kernel {
  /** mount(2). Throws INIT_MOUNT. */
  mount(type: string, target: string, flags: number, options: string): void;
  /**
   * init_module(2) with the bytes of a module. False where the machine lacks the device that it is for: an image has drivers
   * for several kinds of machines. Throws INIT_MODULE.
   */
  loadModule(path: string): boolean;
  /** ioctl(2) on a datagram socket; `request` is changed in place. Throws INIT_NETWORK. */
  networkControl(name: string, code: number, request: Uint8Array): void;
  /** Writes what is pending and turns the machine off. Does not return where it works. */
  powerOff(): void;
}

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;

const AF_INET = 2;
const SOCK_DGRAM = 2;
const ENODEV = 19;
/** RB_POWER_OFF of <sys/reboot.h>. */
const POWER_OFF = 0x4321_fedc;
/** The number of init_module(2). */
const INIT_MODULE: Readonly<Record<string, number>> = Object.freeze({ x64: 175, arm64: 105 });

export function openKernel(): Kernel {
  const library = koffi.load('libc.so.6');
  const mount = library.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options)',
  );
  const syscall = library.func(
    'long syscall(long number, const void *module, unsigned long size, const char *options)',
  );
  const socket = library.func('int socket(int domain, int type, int protocol)');
  const ioctl = library.func('int ioctl(int fd, unsigned long code, _Inout_ void *request)');
  const close = library.func('int close(int fd)');
  const sync = library.func('void sync()');
  const drain = library.func('int tcdrain(int fd)');
  const reboot = library.func('int reboot(int how)');
  return Object.freeze<Kernel>({
    mount(type, target, flags, options) {
      if (mount(type, target, type, flags, options) !== 0) {
        throw new FastnessError('INIT_MOUNT', `${type} on ${target}: errno ${koffi.errno()}.`);
      }
    },
    loadModule(path) {
      const number = INIT_MODULE[process.arch];
      if (number === undefined) throw new FastnessError('INIT_MODULE', `No modules on ${process.arch}.`);
      const module = readFileSync(path);
      if (Number(syscall(number, module, module.length, '')) === 0) return true;
      const errno = koffi.errno();
      if (errno === ENODEV) return false;
      throw new FastnessError('INIT_MODULE', `${path}: errno ${errno}.`);
    },
    networkControl(name, code, request) {
      const fd = Number(socket(AF_INET, SOCK_DGRAM, 0));
      if (fd < 0) throw new FastnessError('INIT_NETWORK', `socket: errno ${koffi.errno()}.`);
      try {
        if (ioctl(fd, code, request) !== 0) throw new FastnessError('INIT_NETWORK', `${name}: errno ${koffi.errno()}.`);
      } finally {
        close(fd);
      }
    },
    powerOff() {
      // A console is slower than this: what it has not sent is lost, and it is the reason why the machine ends.
      drain(1);
      drain(2);
      sync();
      reboot(POWER_OFF);
    },
  });
}
