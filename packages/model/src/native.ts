import { createRequire } from 'node:module';
import type { LibraryHandle } from 'koffi';

type Koffi = typeof import('koffi').default;

export interface NativeProcess {
  readonly koffi: Koffi;
  /** The functions this process itself consists of: Node's OpenSSL and the C library. */
  readonly library: LibraryHandle;
}

let loaded: { readonly process: NativeProcess | undefined } | undefined;

/**
 * Calls into the process itself, for each thread once; undefined where koffi has no binary for the platform. Whoever
 * uses it has a slower way that gives the same bytes: what is lost is speed, so nothing is refused for it. Loaded on
 * first use, because most of this package works without.
 */
export function nativeProcess(): NativeProcess | undefined {
  loaded ??= { process: load() };
  return loaded.process;
}

function load(): NativeProcess | undefined {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the package declares
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return { koffi, library: koffi.load(null) };
  } catch {
    return undefined;
  }
}
