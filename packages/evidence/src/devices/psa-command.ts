import { encodePsaEvidence, parse } from '@fastness/attest/formats/arm-psa';
import { equalBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type Collector } from '../collector.ts';
import { runCommand } from './run-command.ts';

export interface PsaCommandOptions {
  /** A name to look up in PATH, or a path. It prints the token, COSE_Sign1 as bytes, and nothing else. */
  readonly command: string;
  /** Its arguments; `{nonce}` in them stands for the 64 bytes of the nonce in hex. Default: that alone. */
  readonly args?: readonly string[];
  /** Milliseconds. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** PSA tokens have a few hundred bytes; psa_initial_attest_get_token has no larger buffers. */
const MAX_TOKEN = 16_384;

/**
 * Collects PSA tokens of an Arm device through the command that its maker has for psa_initial_attest_get_token: there is no
 * common one. A token for another nonce is refused here, as every verifier would.
 */
export function openPsaCommand(options: PsaCommandOptions): Collector {
  const { command, args = ['{nonce}'], timeoutMs = 30_000 } = options;
  return Object.freeze<Collector>({
    name: `psa ${command}`,
    tee: 'arm-psa',
    simulated: false,
    detect: async () => ({ present: true, detail: `PSA tokens of ${command}` }),
    collect: async (nonce) => {
      requireReportData('arm-psa', nonce);
      const given = args.map((argument) => argument.replaceAll('{nonce}', toHex(nonce)));
      const evidence = encodePsaEvidence(await runCommand({ command, args: given, timeoutMs, most: MAX_TOKEN }));
      let echoed: Uint8Array;
      try {
        echoed = parse(evidence).token.nonce;
      } catch (cause) {
        throw new FastnessError('EVIDENCE_RESPONSE', `${command} printed no PSA token.`, { cause });
      }
      if (!equalBytes(echoed, nonce)) {
        throw new FastnessError('EVIDENCE_RESPONSE', `${command} printed a token for another nonce.`);
      }
      return { evidence, endorsements: [] };
    },
  });
}
