import type { ErrorCode } from '@fastness/codec/errors';
import type { RecipientContext, SenderContext } from '../hpke.ts';
import type { PullReader } from '../pull-reader.ts';
import type { StreamSource } from '../stream-source.ts';
import type { PlaintextSource } from './chunk-writer.ts';
import type { OhttpLabels } from './labels.ts';
import type { ResponseKey } from './response-key.ts';

/** The following bytes of an opened message, or undefined after its last; they were authenticated. */
export type NextPart = () => Promise<Uint8Array | undefined>;

export interface SealedBytesLimit {
  readonly bytes: number;
  /** Sealed chunks or frames: each costs an operation of its own, whatever it holds. Absent: any number. */
  readonly chunks?: number;
  readonly code: ErrorCode;
}

/**
 * One of the two ways in which OHTTP seals a message. What they seal (binary HTTP) and with what (HPKE, the exported secret)
 * is the same; the labels differ, so that nothing sealed in one form opens in the other.
 */
export interface OhttpForm {
  readonly labels: OhttpLabels;
  /** Media types of the outer messages. */
  readonly requestType: string;
  readonly responseType: string;
  /** Whether a response is sealed when all of it is on hand, so that its size can be rounded. */
  readonly whole: boolean;
  readonly sealRequest: (options: {
    prefix: Uint8Array;
    source: PlaintextSource;
    context: SenderContext;
  }) => ReadableStream<Uint8Array>;
  /** What follows header and encapsulated secret. */
  readonly openRequest: (options: {
    reader: PullReader;
    context: RecipientContext;
    limit: SealedBytesLimit;
  }) => NextPart;
  readonly sealResponse: (options: {
    prefix: Uint8Array;
    source: PlaintextSource;
    key: Promise<ResponseKey>;
  }) => StreamSource;
  /** What follows the response nonce. */
  readonly openResponse: (options: { reader: PullReader; key: ResponseKey; limit: SealedBytesLimit }) => NextPart;
}
