import { plainBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseSize } from '../merkle/sizes.ts';
import { openNote, type OpenNote, encodeSignatureLine, parseSignatureLine } from '../note/signed-note.ts';
import type { VerifierKey } from '../note/verifier-key.ts';
import { encodeAddCheckpoint, sizeMediaType } from './request.ts';

/** Where a witness listens and which key it signs with. */
export interface WitnessAddress {
  /** Submission prefix; `add-checkpoint` is put behind it. */
  readonly url: string;
  /** A `cosignature/v1` key. */
  readonly key: VerifierKey;
}

/** A cosignature, verified. */
export interface Cosignature {
  /** The signature line with its newline; put it behind the checkpoint. */
  readonly line: string;
  readonly time: Date;
}

const answerLimit = 16 * 1024;

/**
 * Has one witness cosign a checkpoint. Where the witness stands elsewhere than `oldSize`, it says where, and is asked once
 * more with a proof from there.
 * @throws LOG_UNAVAILABLE, LOG_WITNESS_REFUSED, LOG_WITNESS_UNKNOWN, LOG_WITNESS_CONFLICT, LOG_WITNESS_INCONSISTENT, LOG_NOTE_SIGNATURE,
 *   LOG_NOTE_UNSIGNED
 */
export async function requestCosignature(options: {
  witness: WitnessAddress;
  /** The signed note, and the size it says. */
  checkpoint: { readonly note: string; readonly size: number };
  /** Where the witness stood last; 0 when that is not known. */
  oldSize: number;
  /** Consistency proof from a size to the checkpoint. */
  prove: (oldSize: number) => Promise<readonly Uint8Array[]>;
  fetch: typeof globalThis.fetch;
  signal?: AbortSignal;
}): Promise<Cosignature> {
  const { witness, checkpoint, prove } = options;
  let { oldSize } = options;
  for (let attempt = 0; ; attempt += 1) {
    const proof = await prove(oldSize);
    const answer = await post(options, encodeAddCheckpoint({ oldSize, proof, checkpoint: checkpoint.note }));
    if (answer.status === 200) return await readCosignature(answer.body, checkpoint.note, witness.key);
    if (answer.status === 422) throw new FastnessError('LOG_WITNESS_INCONSISTENT', `At ${witness.url}.`);
    if (answer.status === 404) throw new FastnessError('LOG_WITNESS_UNKNOWN', `At ${witness.url}.`);
    if (answer.status !== 409) throw new FastnessError('LOG_WITNESS_REFUSED', `Status ${answer.status}.`);
    const stands = answer.type === sizeMediaType ? parseSize(answer.body.replace(/\n$/, '')) : undefined;
    if (stands === undefined || stands > checkpoint.size || stands === oldSize || attempt > 0) {
      throw new FastnessError('LOG_WITNESS_CONFLICT', `It stands at ${stands ?? 'no size'}.`);
    }
    oldSize = stands;
  }
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: string;
}

async function post(
  options: { witness: WitnessAddress; fetch: typeof globalThis.fetch; signal?: AbortSignal },
  body: Uint8Array,
): Promise<Answer> {
  const { url } = options.witness;
  try {
    const response = await options.fetch(new URL('add-checkpoint', url.endsWith('/') ? url : `${url}/`), {
      method: 'POST',
      body: plainBytes(body),
      redirect: 'error',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return { status: response.status, type: response.headers.get('content-type'), body: await readText(response) };
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('LOG_UNAVAILABLE', `Witness at ${url}.`, { cause });
  }
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > answerLimit) throw new FastnessError('LOG_WITNESS_REFUSED', 'Its answer is too long.');
  }
  return text + decoder.decode();
}

/** Finds and verifies the line of the witness that was asked; lines of others are ignored. */
async function readCosignature(body: string, note: string, key: VerifierKey): Promise<Cosignature> {
  for (const text of body.split('\n').filter((candidate) => candidate !== '')) {
    const parsed = parseSignatureLine(text);
    if (parsed.name !== key.name || parsed.id !== key.id) continue;
    const line = encodeSignatureLine(parsed);
    const separator = note.lastIndexOf('\n\n') + 2;
    const opened: OpenNote = await openNote(`${note.slice(0, separator)}${line}`, [key]);
    const time = opened.verified[0]?.time;
    if (time !== undefined) return { line, time };
  }
  throw new FastnessError('LOG_NOTE_UNSIGNED', `No cosignature of ${key.name}.`);
}
