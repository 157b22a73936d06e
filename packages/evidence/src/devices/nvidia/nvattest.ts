import { randomBytes } from 'node:crypto';
import { fromBase64, toHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { requireReportData, type Collector } from '../../collector.ts';
import { runCommand } from '../run-command.ts';
import { chainOf, wrapNvidia } from './evidence.ts';

/** NVIDIA's command line tool (NVIDIA/attestation-sdk, nv-attestation-cli). */
export const NVATTEST_COMMAND = 'nvattest';

const MAX_DEVICES = 100;
const NONCE_BYTES = 32;
/** 100 devices with reports and chains in base64. */
const MAX_OUTPUT = 4 << 20;

export interface NvattestOptions {
  /** GPUs through NVML, or NVSwitches through NSCQ: the tool's `--device`. */
  readonly device: 'gpu' | 'nvswitch';
  /** A name to look up in PATH, or a path. Default: {@link NVATTEST_COMMAND}. */
  readonly command?: string;
  /** Milliseconds for one run. Default: 60,000. */
  readonly timeoutMs?: number;
}

/** What the tool prints: result, and one entry for each device; base64 of the report and of a chain in PEM. */
const printed = z.object({
  result_code: z.number().int(),
  result_message: z.string().max(256).optional(),
  evidences: z
    .array(z.object({ evidence: z.string().max(32_768), certificate: z.string().max(65_536) }))
    .max(MAX_DEVICES)
    .nullable(),
});

interface Entry {
  readonly report: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  /** The leaf certificate, hex: what tells one device from another. */
  readonly leaf: string;
}

/**
 * Opens the devices that the tool finds, by label for `collectSession`: gpu0, ... or nvswitch0, ... in the order in which it
 * prints them now. A device is known again by its leaf certificate. Every device has a nonce of its own and the tool takes one
 * nonce for all, so it runs once for each device.
 * The tool does not print the driver's settings: a policy accepts GPUs from here only with a waiver for NVIDIA_SETTINGS_ABSENT.
 * Where NVML can be called, `openNvidiaGpus` is the better way.
 * @throws EVIDENCE_COMMAND_ABSENT, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE, EVIDENCE_GPU_ABSENT
 */
export async function openNvattest(options: NvattestOptions): Promise<ReadonlyMap<string, Collector>> {
  const { device, command = NVATTEST_COMMAND, timeoutMs = 60_000 } = options;
  const tee = device === 'gpu' ? 'nvidia-gpu' : 'nvidia-nvswitch';
  let turn: Promise<unknown> = Promise.resolve();
  const run = (nonce: Uint8Array): Promise<readonly Entry[]> => {
    const args = ['--format', 'json', 'collect-evidence', '--device', device, '--nonce', toHex(nonce)];
    const asked = turn.then(async () =>
      read(await runCommand({ command, args, timeoutMs, most: MAX_OUTPUT }), command),
    );
    turn = asked.catch(() => {});
    return asked;
  };
  const found = await run(new Uint8Array(randomBytes(NONCE_BYTES)));
  if (found.length === 0) throw new FastnessError('EVIDENCE_GPU_ABSENT', `${command} finds no ${device}.`);
  if (new Set(found.map(({ leaf }) => leaf)).size !== found.length) throw malformed(command, 'one device twice');
  return new Map(
    found.map(({ leaf }, index) => {
      const label = `${device}${index}`;
      const collector: Collector = {
        name: `${command} ${label}`,
        tee,
        simulated: false,
        detect: async () => ({ present: true, detail: `${label} through ${command}` }),
        collect: async (nonce) => {
          requireReportData(tee, nonce);
          const own = (await run(nonce)).filter((entry) => entry.leaf === leaf);
          const [entry] = own;
          if (entry === undefined || own.length > 1) throw malformed(command, `${label} ${own.length} times`);
          const { report, certificates } = entry;
          return wrapNvidia({ tee, report, certificates }, nonce, command);
        },
      };
      return [label, Object.freeze(collector)] as const;
    }),
  );
}

function read(bytes: Uint8Array, command: string): readonly Entry[] {
  let answer: z.infer<typeof printed>;
  try {
    answer = printed.parse(JSON.parse(utf8Decode(bytes)));
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${command}: not the JSON of collect-evidence.`, { cause });
  }
  if (answer.result_code !== 0 || answer.evidences === null) {
    throw new FastnessError('EVIDENCE_REFUSED', `${command}: result_code ${answer.result_code}.`);
  }
  return answer.evidences.map(({ evidence, certificate }) => {
    const certificates = chainOf(decode(certificate, command), command);
    return { report: decode(evidence, command), certificates, leaf: toHex(certificates[0] ?? new Uint8Array()) };
  });
}

function decode(text: string, command: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${command}: not base64.`, { cause });
  }
}

function malformed(command: string, what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `${command}: ${what}.`);
}
