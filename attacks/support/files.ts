import { readFile, writeFile } from 'node:fs/promises';

/** Flips one bit of a file; `at` counts bytes from the start, or from the end when negative. */
export async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

export async function truncate(path: string, bytes: number): Promise<void> {
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, whole.length - bytes));
}

export async function replaceText(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${path} does not hold ${from}`);
  await writeFile(path, text.replace(from, to));
}
