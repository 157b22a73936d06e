import { FastnessError } from '@fastness/codec/errors';
import { allocate, koffi, type NativeMemory } from '../native.ts';
import { optional, prototypes, refusal, type FunctionName } from './layout.ts';

/** One call: how much memory its pointer gets, what is written there before, and what is read afterwards. */
export interface Question<T> {
  readonly bytes: number;
  readonly prepare?: (memory: NativeMemory) => void;
  /** Default: the address alone. */
  readonly parameters?: (address: bigint) => readonly (number | bigint)[];
  readonly read: (memory: NativeMemory) => T;
}

/** Asks the library, one call at a time. Throws what {@link openLibrary} throws and what the call was refused with. */
export type Ask = <T>(name: FunctionName, question: Question<T>) => Promise<T>;

type Invoke = (...parameters: readonly (number | bigint)[]) => Promise<number>;

/** Libraries by path, for as long as the process runs: koffi unloads one whose object is collected, even while it is called. */
const loaded = new Map<string, { readonly library: unknown; readonly functions: ReadonlyMap<string, Invoke> }>();

/**
 * Loads NVML. Calls run beside this thread, so that a slow GPU holds nothing else up.
 * @throws EVIDENCE_NATIVE, EVIDENCE_GPU_DRIVER, EVIDENCE_GPU_DRIVER_VERSION
 */
export function openLibrary(path: string, timeoutMs: number): Ask {
  const functions = load(path);
  let turn: Promise<unknown> = Promise.resolve();
  return (name, question) => {
    const asked = turn.then(() => within(timeoutMs, name, () => call(functions, name, question)));
    turn = asked.catch(() => {});
    return asked;
  };
}

async function call<T>(
  functions: ReadonlyMap<string, Invoke>,
  name: FunctionName,
  { bytes, prepare, parameters = (address) => [address], read }: Question<T>,
): Promise<T> {
  const invoke = functions.get(name);
  if (invoke === undefined) throw refusal(name, 13);
  const memory = allocate(bytes);
  try {
    prepare?.(memory);
    const answer = await invoke(...parameters(memory.address));
    if (answer !== 0) throw refusal(name, answer);
    return read(memory);
  } finally {
    // Not before the call is over, however long it takes: the library writes there.
    memory.free();
  }
}

/** Gives up waiting; the call itself cannot be stopped, and its memory stays until it ends. */
async function within<T>(milliseconds: number, name: string, work: () => Promise<T>): Promise<T> {
  const answer = work();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new FastnessError('EVIDENCE_TIMEOUT', `${name}: no answer in ${milliseconds} ms.`));
    }, milliseconds);
  });
  answer.catch(() => {});
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

function load(path: string): ReadonlyMap<string, Invoke> {
  const known = loaded.get(path);
  if (known !== undefined) return known.functions;
  const module = koffi();
  let library: ReturnType<typeof module.load>;
  try {
    library = module.load(path);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_GPU_DRIVER', `${path} cannot be loaded.`, { cause });
  }
  const functions = new Map<string, Invoke>();
  for (const [name, parameters] of Object.entries(prototypes)) {
    try {
      const found = library.func(name, 'int', [...parameters]);
      functions.set(
        name,
        invoking((...given) => void found.async(...given)),
      );
    } catch (cause) {
      if (optional.has(name)) continue;
      throw new FastnessError('EVIDENCE_GPU_DRIVER_VERSION', `${path} has no ${name}.`, { cause });
    }
  }
  loaded.set(path, { library, functions });
  return functions;
}

function invoking(start: (...given: readonly unknown[]) => void): Invoke {
  return (...parameters) =>
    new Promise((resolve, reject) => {
      start(...parameters, (error: unknown, answer: unknown) => {
        if (typeof answer === 'number') resolve(answer);
        else reject(new FastnessError('EVIDENCE_NATIVE', 'NVML cannot be called.', { cause: error }));
      });
    });
}
