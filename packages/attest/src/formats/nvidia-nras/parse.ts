import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { isJsonObject, parseJson, type JsonValue } from '../../jws/json.ts';
import { evidenceOf, finish, readToken } from '../token/parse.ts';
import type { ParsedToken, TokenPart } from '../token/stages.ts';
import { MAX_BUNDLE_BYTES, MAX_DEVICES, nvidiaNras } from './layout.ts';
import './errors.ts';

const limits = Object.freeze({ maxBytes: MAX_BUNDLE_BYTES, maxDepth: 3, maxValues: 256 });

/**
 * Reads a detached EAT bundle (RFC 9711, section 5) as NRAS returns it: `[["JWT", overall], {"GPU-0": token, ...}]`, and the
 * key sets sent along. Says nothing about who made any of it. Throws TOKEN_DETACHED, JWS_..., JWK_..., CODEC_..., ATTEST_....
 */
export function parse(evidence: Cmw, endorsements: readonly Cmw[] = []): ParsedToken {
  const checks: Checklist = new Checklist([]);
  const { overall, detached } = readBundle(parseJson(evidenceOf(evidence, nvidiaNras), limits), checks);
  const token = readToken(overall, nvidiaNras, checks);
  const parts = new Map<string, TokenPart>();
  for (const [name, text] of detached) parts.set(name, readToken(text, nvidiaNras, checks));
  return finish({ token, parts }, endorsements, nvidiaNras, checks);
}

function readBundle(
  value: JsonValue,
  checks: Checklist,
): { readonly overall: string; readonly detached: readonly (readonly [string, string])[] } {
  const [main, devices] = listOf(value, 2);
  const [label, overall] = listOf(main, 2);
  const entries = isJsonObject(devices) ? Object.entries(devices) : [];
  const detached = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const sound = label === 'JWT' && typeof overall === 'string';
  const whole = detached.length === entries.length && entries.length > 0 && entries.length <= MAX_DEVICES;
  checks.require('TOKEN_DETACHED', sound && whole, {
    expected: `["JWT", token] and an object of 1 to ${MAX_DEVICES} tokens`,
    actual: sound ? `${entries.length} devices, ${detached.length} of them text` : 'something else',
  });
  if (typeof overall !== 'string') throw new FastnessError('TOKEN_DETACHED');
  return { overall, detached };
}

/** The entries of a list of this length; none for anything else. */
function listOf(value: JsonValue | undefined, length: number): readonly JsonValue[] {
  return Array.isArray(value) && value.length === length ? (value as readonly JsonValue[]) : [];
}
