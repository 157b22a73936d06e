import { mediaTypes } from '../wire/media-types.ts';
import { ChunkReader } from './chunk-reader.ts';
import { sealSource, sealStream, type SealChunk } from './chunk-writer.ts';
import type { OhttpForm } from './form.ts';
import { chunkedLabels } from './labels.ts';
import { openRequestChunk } from './request-opener.ts';
import { sealRequestChunk } from './request-sealer.ts';
import { openResponseChunk, sealResponseChunk } from './response-chunks.ts';

/** Chunked OHTTP (draft-ietf-ohai-chunked-ohttp-08): each chunk is sealed as it is there, the last one is marked. */
export const chunkedForm: OhttpForm = Object.freeze({
  labels: chunkedLabels,
  requestType: mediaTypes.chunkedRequest,
  responseType: mediaTypes.chunkedResponse,
  whole: false,
  sealRequest: ({ prefix, source, context }) => sealStream({ prefix, source, seal: sealRequestChunk(context) }),
  openRequest: ({ reader, context, limit }) => {
    const chunks = new ChunkReader({ reader, open: openRequestChunk(context), limit });
    return () => chunks.next();
  },
  sealResponse: ({ prefix, source, key }) => {
    const sealer = key.then(sealResponseChunk);
    sealer.catch(() => undefined);
    const seal: SealChunk = async (plaintext, final) => (await sealer)(plaintext, final);
    return sealSource({ prefix, source, seal });
  },
  openResponse: ({ reader, key, limit }) => {
    const chunks = new ChunkReader({ reader, open: openResponseChunk(key), limit });
    return () => chunks.next();
  },
} satisfies OhttpForm);
