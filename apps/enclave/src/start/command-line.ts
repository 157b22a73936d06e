import { FastnessError } from '@fastness/codec/errors';

/** Options of Node under which the enclave starts: how the sources find their packages, and a quieter log. */
const accepted: ReadonlySet<string> = new Set(['--conditions=source', '--disable-warning=ExperimentalWarning']);

/**
 * The command line is the host's to write wherever the image does not fix it. Options of Node can load code (--import,
 * --require, --loader), open the debugger and write memory to files, each under several spellings, so the two that the
 * project itself uses are accepted, exactly as written, and nothing else.
 * @param options those in front of the program, as in `process.execArgv`
 * @param rest those behind it
 * @returns the path of the configuration file
 * @throws ENCLAVE_COMMAND_LINE
 */
export function configFileOf(
  options: readonly string[] = process.execArgv,
  rest: readonly string[] = process.argv.slice(2),
): string {
  const refused = options.find((option) => !accepted.has(option));
  if (refused !== undefined) {
    // Its value may be long and anything; the name says enough.
    const name = refused.replace(/=.*$/su, '').replaceAll(/[^\x21-\x7e]/gu, '?');
    throw new FastnessError('ENCLAVE_COMMAND_LINE', `${name.slice(0, 64)} is not an option of the enclave.`);
  }
  const [file, ...more] = rest;
  if (file === undefined || more.length > 0) throw new FastnessError('ENCLAVE_CONFIG', 'Usage: main.ts CONFIG.json');
  return file;
}
