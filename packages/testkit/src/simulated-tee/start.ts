import { measureImage } from './measure-image.ts';
import { createReporter } from './reporter.ts';
import { serve } from './service.ts';
import { openState, type OpenStateOptions } from './state.ts';

/** What the simulated TEE says whenever it starts. */
export const SIMULATED_BANNER = 'SIMULATED TEE: no hardware protects anything here';

export interface SimulatedTeeOptions {
  /** Folder of the forged keys; made on first use. */
  readonly stateDir: string;
  readonly socketPath: string;
  /** Files and folders to measure; see `measureImage`. */
  readonly image: readonly string[];
  /** Folder that measured names are relative to. Default: the working directory. */
  readonly root?: string;
  readonly exclude?: readonly string[];
  /** Default: the clock of this machine. */
  readonly now?: () => Date;
  /** Gets the banner. Default: the standard error stream. */
  readonly warn?: (line: string) => void;
  readonly rsaBits?: OpenStateOptions['rsaBits'];
}

export interface SimulatedTee extends AsyncDisposable {
  readonly socketPath: string;
  /** SHA-384 of the image, 96 hex digits. */
  readonly measurement: string;
  /** SHA-256 of the root key, hex; what a policy pins. */
  readonly arkSpkiSha256: string;
  /** Hex of the 64 bytes that its reports name the chip by. */
  readonly chipId: string;
  readonly close: () => Promise<void>;
}

/**
 * Starts the simulated TEE in this process: it measures the image and answers report requests on the socket. It plays
 * AMD's secure processor, so run it apart from the enclave it vouches for. It protects nothing: whoever can read the
 * state folder, or change the image after it was measured, can forge whatever it says.
 * @throws TESTKIT_*
 */
export async function startSimulatedTee(options: SimulatedTeeOptions): Promise<SimulatedTee> {
  const { stateDir, socketPath, image, root, exclude, rsaBits, now = () => new Date() } = options;
  const warn = options.warn ?? ((line: string) => void process.stderr.write(`${line}\n`));
  warn(SIMULATED_BANNER);
  const [state, measurement] = await Promise.all([
    openState({ stateDir, now: now(), ...(rsaBits === undefined ? {} : { rsaBits }) }),
    measureImage(image, { ...(root === undefined ? {} : { root }), ...(exclude === undefined ? {} : { exclude }) }),
  ]);
  const report = createReporter({ stateDir, state, measurement, now });
  const service = await serve({ socketPath, report });
  const { arkSpkiSha256, hwid } = state.chain;
  return {
    socketPath,
    measurement,
    arkSpkiSha256,
    chipId: Buffer.from(hwid).toString('hex'),
    close: service.close,
    [Symbol.asyncDispose]: service.close,
  };
}
