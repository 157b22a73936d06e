import { z } from 'zod';
import { base64Url32Schema, cmwJsonSchema, evidenceJsonSchema } from '../wire/fields.ts';

/** Name of the protocol on the connection (ALPN, RFC 7301): the exchange of evidence, then whatever the two sides speak. */
export const TLS_ALPN = 'fastness-attested-tls/1';

/** Bytes that a message of the exchange may have. */
export const tlsWireLimits = Object.freeze({ hello: 256, answer: 8 * 1024 * 1024 } as const);

/** First message, from who connected: a nonce of 32 bytes, used once. */
export const tlsHelloSchema = z.strictObject({ nonce: base64Url32Schema });

/**
 * Evidence for this connection. `nonce` and `exporter` (a digest) say what it answers; both are in what the evidence binds, so
 * they are there for clear errors alone. `ask`: the nonce that the other side has to answer in its turn.
 */
export const tlsAnswerSchema = z.strictObject({
  nonce: base64Url32Schema,
  exporter: base64Url32Schema,
  evidence: evidenceJsonSchema,
  endorsements: z.array(cmwJsonSchema).max(16),
  ask: base64Url32Schema.exactOptional(),
});
export type TlsAnswer = z.infer<typeof tlsAnswerSchema>;
