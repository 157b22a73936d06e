import type { Command } from 'commander';
import { runCommand, type Context, type GlobalOptions } from './run.ts';

/**
 * Makes a commander action out of `body`: global options are merged in, errors are printed by their registry entry,
 * Ctrl-C raises the context's signal.
 */
export function action<Options extends object>(
  body: (context: Context, options: Options, args: string[]) => Promise<void>,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    // commander calls an action with its arguments, then the options, then the command.
    const command = parameters.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    await runCommand(options, async (context) => body(context, options, command.args));
  };
}
