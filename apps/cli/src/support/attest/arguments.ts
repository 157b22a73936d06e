import { sessionPurposes, type SessionBinding } from '@fastness/attest';
import { fromHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { readStrictText } from './strict-text.ts';

/** What the evidence must be bound to, as the command line says it. Exactly one. */
export type Binding =
  | { readonly kind: 'report-data'; readonly value: Uint8Array }
  | { readonly kind: 'nonce'; readonly value: Uint8Array }
  | { readonly kind: 'session'; readonly session: SessionBinding }
  | { readonly kind: 'none'; readonly reason: string };

export interface BindingOptions {
  readonly reportData?: string;
  readonly nonce?: string;
  readonly session?: string;
  readonly withoutNonce?: string;
}

/** The time as of which everything must be valid. Throws CLI_USAGE. */
export function timeOf(text: string | undefined): Date {
  if (text === undefined)
    throw missing(
      '--at TIME',
      'the time as of which certificates and lists must be valid: now, or 2026-06-01T12:00:00Z',
    );
  if (text === 'now') return new Date();
  const parsed = z.iso.datetime({ offset: true }).safeParse(text);
  if (!parsed.success)
    throw new FastnessError('CLI_USAGE', `--at ${JSON.stringify(text)}: now, or a time with its zone.`);
  return new Date(parsed.data);
}

export function policyPathOf(path: string | undefined): string {
  if (path !== undefined) return path;
  throw missing('--policy FILE', 'what is accepted; `fastness policy check FILE` says what a file means');
}

/** Throws CLI_USAGE unless exactly one of the options says what the evidence answers. */
export function bindingOf(options: BindingOptions, readText: (path: string) => string): Binding {
  const { reportData, nonce, session, withoutNonce } = options;
  const given = [reportData, nonce, session, withoutNonce].filter((option) => option !== undefined);
  if (given.length === 0) {
    throw missing(
      '--nonce HEX or --report-data HEX',
      'what the evidence answers; without one, old evidence passes for new (--without-nonce REASON accepts that and says so)',
    );
  }
  if (given.length > 1)
    throw new FastnessError('CLI_USAGE', 'One of --nonce, --report-data, --session and --without-nonce, not several.');
  if (reportData !== undefined) return { kind: 'report-data', value: hexOf('--report-data', reportData) };
  if (nonce !== undefined) return { kind: 'nonce', value: hexOf('--nonce', nonce) };
  if (session !== undefined) return { kind: 'session', session: sessionOf(session, readText(session)) };
  const reason = withoutNonce?.trim() ?? '';
  if (reason === '' || reason.length > 500)
    throw new FastnessError(
      'CLI_USAGE',
      '--without-nonce wants a reason of 1 to 500 characters; it ends up in the result.',
    );
  return { kind: 'none', reason };
}

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in lower-case hex')
  .transform((text) => fromHex(text));
const sessionSchema = z.strictObject({
  purpose: z.enum(sessionPurposes),
  nonce: digest,
  keyConfigDigest: digest,
  releaseDigest: digest,
});

function sessionOf(path: string, text: string): SessionBinding {
  const parsed = sessionSchema.safeParse(readStrictText(text, path));
  if (parsed.success) return parsed.data;
  throw new FastnessError('CLI_USAGE', `${path} is no session: ${z.prettifyError(parsed.error)}`);
}

function hexOf(option: string, text: string): Uint8Array {
  const hex = text.toLowerCase();
  if (/^(?:[0-9a-f]{2}){1,512}$/.test(hex)) return fromHex(hex);
  throw new FastnessError('CLI_USAGE', `${option} is 1 to 512 bytes in hex.`);
}

function missing(option: string, what: string): FastnessError {
  return new FastnessError('CLI_USAGE', `${option} is missing: ${what}.`);
}
