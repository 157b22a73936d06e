import { parseArgs } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';

export const USAGE =
  'usage: simulated-tee --state DIR --socket PATH --image PATH... [--exclude PATH...] [--root DIR] [-- command args...]\n' +
  '       simulated-tee --print-measurement --image PATH... [--exclude PATH...] [--root DIR] [--state DIR]';

/** What the program was asked to do. */
export interface Arguments {
  readonly image: readonly string[];
  readonly exclude: readonly string[];
  readonly root: string;
  readonly stateDir?: string;
  readonly socketPath?: string;
  readonly printMeasurement: boolean;
  /** Program and arguments to run inside. */
  readonly command: readonly string[];
}

/** @throws TESTKIT_USAGE */
export function parseArguments(argv: readonly string[]): Arguments {
  const separator = argv.indexOf('--');
  const own = separator === -1 ? argv : argv.slice(0, separator);
  const command = separator === -1 ? [] : argv.slice(separator + 1);
  const { values } = parse(own);
  const { state, socket, image = [], exclude = [], root = process.cwd() } = values;
  const printMeasurement = values['print-measurement'] === true;
  if (image.length === 0) throw new FastnessError('TESTKIT_USAGE', '--image is missing.');
  if (!printMeasurement && (state === undefined || socket === undefined)) {
    throw new FastnessError('TESTKIT_USAGE', '--state and --socket are needed.');
  }
  if (printMeasurement && (socket !== undefined || command.length > 0)) {
    throw new FastnessError('TESTKIT_USAGE', '--print-measurement starts nothing.');
  }
  if (separator !== -1 && command.length === 0) throw new FastnessError('TESTKIT_USAGE', 'No command after --.');
  return {
    image,
    exclude,
    root,
    ...(state === undefined ? {} : { stateDir: state }),
    ...(socket === undefined ? {} : { socketPath: socket }),
    printMeasurement,
    command,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        state: { type: 'string' },
        socket: { type: 'string' },
        image: { type: 'string', multiple: true },
        exclude: { type: 'string', multiple: true },
        root: { type: 'string' },
        'print-measurement': { type: 'boolean' },
      },
    });
  } catch (cause) {
    throw new FastnessError('TESTKIT_USAGE', cause instanceof Error ? cause.message : undefined, { cause });
  }
}
