import { FastnessError } from '@fastness/codec/errors';
import type { DecodedMessage } from './bhttp/decode.ts';
import type { MessageDigest } from './digest.ts';
import type { OpenedRequest } from './open-request.ts';
import { pullStream } from './stream-source.ts';

/** What every opened request has, whatever it was sealed in: its head, a body that is digested as it is read, and its end. */
export function openedFrom(options: {
  message: DecodedMessage;
  control: { readonly method: string; readonly authority: string; readonly path: string };
  digest: MessageDigest;
  /** Tells the transport that nothing more is wanted. */
  cancel: (reason: unknown) => Promise<void>;
}): Pick<OpenedRequest, 'request' | 'requestDigest' | 'discardBody'> {
  const { message, control, digest } = options;
  const { method, authority, path } = control;
  const ended = Promise.withResolvers<{ trailers: Headers; requestDigest: Uint8Array }>();
  const trailers = ended.promise.then((end) => end.trailers);
  const requestDigest = ended.promise.then((end) => end.requestDigest);
  for (const promise of [trailers, requestDigest]) promise.catch(() => undefined);
  const step = async () => {
    try {
      const bytes = await message.nextBody();
      if (bytes === undefined) ended.resolve({ trailers: message.trailers(), requestDigest: await digest.finish() });
      else await digest.update(bytes);
      return bytes;
    } catch (error) {
      ended.reject(error);
      await options.cancel(error);
      throw error;
    }
  };
  // One step at a time: a body may be cancelled while a read of it is under way.
  let last: Promise<unknown> = Promise.resolve();
  const next = () => {
    const result = last.then(step);
    last = result.catch(() => undefined);
    return result;
  };
  let discarded = false;
  const discardBody = async () => {
    discarded = true;
    try {
      while ((await next()) !== undefined);
    } catch {
      // The digest's promise carries the failure.
    }
  };
  const nextForReader = () => {
    // A reader must not take what is left after a part was dropped for the whole.
    if (discarded) throw new FastnessError('CHANNEL_CANCELLED');
    return next();
  };
  const body = pullStream({ next: async () => nextForReader(), cancel: discardBody });
  return {
    request: { method, authority, path, headers: message.headers, body, trailers },
    requestDigest,
    discardBody,
  };
}
