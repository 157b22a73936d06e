import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { runCommand, type Context, type GlobalOptions } from './run.ts';

/**
 * Makes a commander action out of `body`: global options are merged in, errors are printed by their registry entry,
 * Ctrl-C raises the context's signal. `Options` are those that the command declares; commander has checked them.
 */
// The type parameter is how a command says which options it declares.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function action<Options extends object>(
  body: (context: Context, options: GlobalOptions & Options, args: string[]) => Promise<void>,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    // commander calls an action with its arguments, then the options, then the command.
    const command = parameters.at(-1);
    if (!(command instanceof Command)) throw new FastnessError('CLI_UNEXPECTED', 'commander called without a command.');
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    await runCommand(options, async (context) => body(context, options, command.args));
  };
}
