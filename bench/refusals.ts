// How long a hostile input of 1 MiB can keep a reader busy before it refuses: every reader of untrusted bytes on inputs made
// to be costly, and on genuine ones stretched to that size. Prints the slowest refusal of each, in processor time of the
// thread's process, which other work on the machine does not change. Run: npm run bench:refusals [-- rounds]
import { createHash } from 'node:crypto';
import { concatBytes, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { seedsByTarget } from '../fuzz/seeds.ts';
import { reads } from '../fuzz/targets.ts';
import { median } from './support.ts';

const rounds = Number(process.argv[2] ?? 5);
const SIZE = 2 ** 20;
const GOAL = 50;

const repeated = (unit: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(SIZE);
  for (let offset = 0; offset < SIZE; offset += unit.length) bytes.set(unit.subarray(0, SIZE - offset), offset);
  return bytes;
};
const text = (unit: string): Uint8Array => repeated(utf8Encode(unit));
const around = (head: string, unit: string, tail: string): Uint8Array => {
  const middle = text(unit).subarray(0, SIZE - head.length - tail.length);
  return concatBytes(
    utf8Encode(head),
    middle.subarray(0, middle.length - (middle.length % unit.length)),
    utf8Encode(tail),
  );
};
const noise = (): Uint8Array => {
  const bytes = new Uint8Array(SIZE);
  for (let block = 0; block * 32 < SIZE; block += 1) {
    bytes.set(createHash('sha256').update(`${block}`).digest(), block * 32);
  }
  return bytes;
};
/** A DER SEQUENCE with a long length that holds as many elements as fit. */
const der = (element: number[]): Uint8Array => {
  const body = repeated(Uint8Array.from(element)).subarray(0, SIZE - 5 - ((SIZE - 5) % element.length));
  const { length } = body;
  return concatBytes(Uint8Array.of(0x30, 0x83, length >> 16, (length >> 8) & 255, length & 255), body);
};
/** A CBOR array head of four bytes, then members. */
const cbor = (element: number[]): Uint8Array => {
  const count = Math.floor((SIZE - 5) / element.length);
  const head = Uint8Array.of(0x9a, count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255);
  return concatBytes(head, repeated(Uint8Array.from(element)).subarray(0, count * element.length));
};

const hostile: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['zeros', new Uint8Array(SIZE)],
  ['ones', new Uint8Array(SIZE).fill(0xff)],
  ['noise', noise()],
  ['nested DER', repeated(Uint8Array.of(0x30, 0x80))],
  ['DER integers', der([0x02, 0x01, 0x01])],
  ['DER sets of names', der([0x31, 0x02, 0x30, 0x00])],
  ['nested CBOR arrays', repeated(Uint8Array.of(0x81))],
  ['CBOR integers', cbor([0x00])],
  ['CBOR maps', cbor([0xa1, 0x01, 0x02])],
  ['nested JSON', text('[')],
  ['JSON numbers', around('[', '1,', '1]')],
  ['JSON members', around('{', '"a":1,', '"a":1}')],
  ['JSON text', around('"', 'a', '"')],
  ['JSON escapes', around('["', '\\u0041', '"]')],
  ['nested XML', text('<a>')],
  ['XML attributes', around('<a ', 'b="" ', '/>')],
  ['XML references', around('<a>', '&amp;', '</a>')],
  ['XML namespaces', around('<a ', 'xmlns:b="c" ', '/>')],
  ['PEM heads', text('-----BEGIN CERTIFICATE-----\n')],
  ['PEM line', around('-----BEGIN CERTIFICATE-----\n', 'A', '\n-----END CERTIFICATE-----\n')],
  ['token of points', text('.')],
  ['token', around('eyJhbGciOiJSUzI1NiJ9.', 'A', '.AAAA')],
];

const seeds = await seedsByTarget();
let worst = 0;
process.stdout.write(`Slowest refusal of ${SIZE >> 20} MiB, processor time, median of ${rounds} (goal ${GOAL} ms)\n`);
for (const [name, read] of Object.entries(reads)) {
  const stretched = (seeds.get(name) ?? [])
    .slice(0, 8)
    .flatMap((seed, index) => [
      [`genuine ${index}, repeated`, repeated(seed)] as const,
      [`genuine ${index}, zeros after it`, concatBytes(seed, new Uint8Array(Math.max(0, SIZE - seed.length)))] as const,
    ]);
  let slowest = { milliseconds: 0, input: 'nothing is refused' };
  for (const [input, bytes] of [...hostile, ...stretched]) {
    if (!(await refuses(read, bytes))) continue;
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const copy = bytes.slice();
      const before = process.cpuUsage();
      await refuses(read, copy);
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000);
    }
    const milliseconds = median(times);
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, input };
  }
  worst = Math.max(worst, slowest.milliseconds);
  process.stdout.write(`  ${name.padEnd(24)} ${slowest.milliseconds.toFixed(1).padStart(7)} ms  ${slowest.input}\n`);
}
process.stdout.write(`  slowest of all: ${worst.toFixed(1)} ms, ratio ${(worst / GOAL).toFixed(2)} of the goal\n`);

/** Whether the reader refuses: input that is read, or that is no JSON at all and so never reaches it, is not counted. */
async function refuses(read: (input: Uint8Array) => unknown, input: Uint8Array): Promise<boolean> {
  try {
    await read(input);
    return false;
  } catch (error) {
    if (!(error instanceof FastnessError)) throw error;
    return true;
  }
}
