import { FastnessError } from '@fastness/codec/errors';
import { CKF, CKR, functionArguments, functionNames, nameOfReturnValue, type FunctionName } from './constants.ts';
import { Arena, loadKoffi, type Piece } from './memory.ts';

/** A module's refusal of one call. Carries numbers and names, no data. */
export class ModuleError extends Error {
  readonly call: FunctionName;
  readonly returned: number;

  constructor(call: FunctionName, returned: number) {
    super(`${call}: ${nameOfReturnValue(returned)}`);
    this.call = call;
    this.returned = returned;
  }
}

/** One attribute of a template: bytes as they are, booleans and numbers in the module's own form. */
type AttributeValue = boolean | number | Uint8Array;
export type Template = readonly (readonly [type: number, value: AttributeValue])[];

export interface Mechanism {
  readonly type: number;
  /** Lays the parameter out in the arena; absent: none. */
  readonly parameter?: (arena: Arena) => Piece;
}

type NativeFunction = (...parameters: readonly (number | bigint)[]) => number | bigint;

/**
 * Every library that was loaded, for as long as the process runs. koffi unloads one when its object is collected, and
 * knows nothing of the functions that were found by their address: the next call would jump into unmapped memory.
 */
const loaded: unknown[] = [];

const arenaBytes = 4 * 2 ** 20 + 65_536;
/** The most that any answer of a module has here: 4096 wrapped bytes and a tag. */
export const maxOutput = 8192;

/** A loaded and initialised module. Every call is synchronous; nothing else runs in this process meanwhile. */
export class Module {
  readonly arena: Arena;
  readonly #functions: ReadonlyMap<FunctionName, NativeFunction>;

  private constructor(arena: Arena, functions: ReadonlyMap<FunctionName, NativeFunction>) {
    this.arena = arena;
    this.#functions = functions;
  }

  /** Errors: KEYS_HSM_MODULE, KEYS_HSM_FAILED. */
  static load(path: string, libraryParameters: string | undefined): Module {
    const arena = new Arena(arenaBytes);
    const module = new Module(arena, functionsOf(path, arena));
    // Layout of CK_C_INITIALIZE_ARGS: four callbacks, flags at 32; NSS has a string of its own before the reserved one.
    const parameters = arena.take(56);
    parameters.view.setBigUint64(32, BigInt(CKF.OS_LOCKING_OK), true);
    if (libraryParameters !== undefined) {
      const text = arena.put(new TextEncoder().encode(`${libraryParameters}\0`));
      parameters.view.setBigUint64(40, text.address, true);
    }
    module.call('C_Initialize', parameters.address);
    arena.reset();
    return module;
  }

  /** Errors: ModuleError for every return value but CKR_OK. */
  call(name: FunctionName, ...parameters: readonly (number | bigint)[]): void {
    const returned = Number(this.#functions.get(name)?.(...parameters) ?? CKR.FUNCTION_NOT_SUPPORTED);
    if (returned !== CKR.OK) throw new ModuleError(name, returned);
  }

  /** Runs `work` on a clean arena and zeroes what it used. */
  within<T>(work: (arena: Arena) => T): T {
    try {
      return work(this.arena);
    } finally {
      this.arena.reset();
    }
  }

  /** `Init`, then the call that gives the whole output at once. `afterwards` sees the parameter that a module may have written. */
  operate(
    kind: 'Encrypt' | 'Decrypt' | 'Sign',
    session: bigint,
    mechanism: Mechanism,
    key: bigint,
    input: Uint8Array,
    afterwards?: (parameter: Piece) => void,
  ): Uint8Array {
    return this.within((arena) => {
      const { piece, parameter } = layMechanism(arena, mechanism);
      this.call(`C_${kind}Init`, session, piece.address, key);
      const source = arena.put(input);
      const output = arena.take(maxOutput);
      const length = arena.ulong(maxOutput);
      this.call(`C_${kind}`, session, source.address, input.length, output.address, length.address);
      const written = length.view.getBigUint64(0, true);
      if (written > BigInt(maxOutput)) throw new ModuleError(`C_${kind}`, CKR.BUFFER_TOO_SMALL);
      if (parameter !== undefined) afterwards?.(parameter);
      return output.bytes.slice(0, Number(written));
    });
  }
}

function functionsOf(path: string, arena: Arena): ReadonlyMap<FunctionName, NativeFunction> {
  const koffi = loadKoffi();
  const pointer = arena.take(8);
  try {
    const library = koffi.load(path);
    loaded.push(library);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- declared by the types beside it
    const getList = library.func('C_GetFunctionList', 'ulong', ['uint64']) as NativeFunction;
    if (Number(getList(pointer.address)) !== CKR.OK) throw new Error('C_GetFunctionList');
  } catch (error) {
    throw new FastnessError('KEYS_HSM_MODULE', error instanceof Error ? printable(error.message) : undefined);
  }
  // CK_VERSION takes two bytes, and padding up to the first address six.
  const list = new DataView(koffi.view(pointer.view.getBigUint64(0, true), 8 + 8 * functionNames.length));
  const major = list.getUint8(0);
  if (major !== 2 && major !== 3)
    throw new FastnessError('KEYS_HSM_MODULE', `Its interface has version ${major}.${list.getUint8(1)}.`);
  const functions = new Map<FunctionName, NativeFunction>();
  for (const [index, name] of functionNames.entries()) {
    if (!isUsed(name)) continue;
    const address = list.getBigUint64(8 + 8 * index, true);
    if (address === 0n) continue;
    const prototype = koffi.proto('ulong', Array<string>(functionArguments[name]).fill('uint64'));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- declared by the prototype
    functions.set(name, koffi.decode(address, prototype) as NativeFunction);
  }
  arena.reset();
  return functions;
}

function isUsed(name: (typeof functionNames)[number]): name is FunctionName {
  return Object.hasOwn(functionArguments, name);
}

export function layMechanism(arena: Arena, mechanism: Mechanism): { piece: Piece; parameter: Piece | undefined } {
  const piece = arena.take(24);
  const { view } = piece;
  view.setBigUint64(0, BigInt(mechanism.type), true);
  const parameter = mechanism.parameter?.(arena);
  if (parameter !== undefined) {
    view.setBigUint64(8, parameter.address, true);
    view.setBigUint64(16, BigInt(parameter.bytes.length), true);
  }
  return { piece, parameter };
}

/** CK_ATTRIBUTE: type, address, length. */
export function layTemplate(arena: Arena, template: Template): Piece {
  const piece = arena.take(24 * template.length);
  const { view } = piece;
  for (const [index, [type, value]] of template.entries()) {
    const held =
      typeof value === 'boolean'
        ? arena.put(Uint8Array.of(value ? 1 : 0))
        : typeof value === 'number'
          ? arena.ulong(value)
          : arena.put(value);
    view.setBigUint64(24 * index, BigInt(type), true);
    view.setBigUint64(24 * index + 8, held.address, true);
    view.setBigUint64(24 * index + 16, BigInt(held.bytes.length), true);
  }
  return piece;
}

/** Text of a loader or a token, fit for one line of an error or a screen. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 160);
}
