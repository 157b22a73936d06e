import { encodeRuntimeEvent, parseEventLog, replayToRtmrs, type LogEvent } from '@fastness/attest/event-log';
import { fromHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { forgeEventLog, type ForgedEvent } from '@fastness/testkit';
import { judgeDcap } from '../../packages/attest/test/support/dcap-forge.ts';

/** An event of a boot, and the run-time register that a trust domain extends with it. */
export interface TdEvent {
  readonly rtmr: 0 | 1 | 2;
  readonly event: LogEvent;
}

/** What the enclave extends RTMR3 with, digests of 32 bytes. */
export interface TdRuntime {
  readonly configuration: Uint8Array;
  readonly release: Uint8Array;
}

/**
 * What a verifier says of a trust domain that has booted with these events: the log is of them, the quote is forged, as there
 * is no processor to make it. Returns the code and detail of a refusal, or undefined.
 */
export async function refusalOf(
  boot: readonly TdEvent[],
  runtime: TdRuntime,
  section: object,
): Promise<{ readonly code: string; readonly detail: string } | undefined> {
  const eventLog = await forgeEventLog([
    ...boot.map(({ rtmr, event: { type, data, digests } }): ForgedEvent => {
      const sha384 = digests['SHA-384'];
      if (sha384 === undefined) throw new Error('The log has no SHA-384.');
      return { pcr: rtmr + 1, type, data, sha384: fromHex(sha384) };
    }),
    ...(['configuration', 'release'] as const).map((kind): ForgedEvent => {
      const data = encodeRuntimeEvent({ kind, digest: runtime[kind] });
      return { pcr: 4, type: 6, data };
    }),
  ]);
  const rtmrs = (await replayToRtmrs(parseEventLog(eventLog))).map(fromHex);
  try {
    await judgeDcap({ td: { rtmrs }, eventLog, section });
    return undefined;
  } catch (error) {
    if (!(error instanceof FastnessError)) throw error;
    return { code: error.code, detail: error.detail ?? '' };
  }
}
