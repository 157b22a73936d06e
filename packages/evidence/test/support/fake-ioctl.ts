import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

type Koffi = typeof import('koffi').default;

/** Whether a C compiler is there (Debian package gcc): without one these tests cannot make their library. */
export const compilerInstalled: boolean = spawnSync('gcc', ['--version']).status === 0;

/** A library with an `ioctl` of ours: what calls it is the code that calls the kernel. */
export interface FakeIoctl {
  readonly library: string;
  /** Answers the next calls: 0, or a negative errno. */
  answer(handler: (request: bigint, argument: Memory) => number): void;
  memoryAt(address: bigint, size: number): Memory;
}

interface Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const source = `
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
static int (*handler)(uint64_t request, uint64_t argument);
void fake_answer(int (*given)(uint64_t request, uint64_t argument)) { handler = given; }
int ioctl(int fd, unsigned long request, ...) {
  (void)fd;
  va_list list;
  va_start(list, request);
  uint64_t argument = va_arg(list, uint64_t);
  va_end(list);
  int answer = handler(request, argument);
  if (answer >= 0) return answer;
  errno = -answer;
  return -1;
}
`;

/** koffi unloads a library when its object is collected; loaded again, it would have forgotten its handler. */
const kept: unknown[] = [];

/** @param structBytes of the argument that handlers get */
export function buildFakeIoctl(folder: string, structBytes: number): FakeIoctl {
  const library = join(folder, 'libfake-ioctl.so');
  writeFileSync(join(folder, 'fake-ioctl.c'), source);
  const built = spawnSync('gcc', ['-shared', '-fPIC', '-Wall', '-Werror', '-o', library, join(folder, 'fake-ioctl.c')]);
  if (built.status !== 0) throw new Error(`gcc: ${String(built.stderr)}`);
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const memoryAt = (address: bigint, size: number): Memory => {
    const buffer = koffi.view(address, size);
    return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
  };
  const loaded = koffi.load(library);
  kept.push(loaded);
  const prototype = koffi.proto('int (uint64 request, uint64 argument)');
  const set = loaded.func('fake_answer', 'void', [koffi.pointer(prototype)]);
  let handler: Parameters<FakeIoctl['answer']>[0] = () => -1;
  const entry = (request: number | bigint, argument: number | bigint): number =>
    handler(BigInt(request), memoryAt(BigInt(argument), structBytes));
  set(koffi.register(entry, koffi.pointer(prototype)));
  return {
    library,
    memoryAt,
    answer(given) {
      handler = given;
    },
  };
}
