import type { Checklist } from '../../checks.ts';
import type { JsonValue } from '../../jws/json.ts';
import type { ClaimReader } from '../token/claims.ts';
import type { AuthenticToken } from '../token/stages.ts';

/**
 * The overall token names every device with the SHA-256 of its token's text: no device can be left out, added or taken from
 * another bundle of the same issuer. Throws NRAS_SUBMODULES, NRAS_SUBMODULE_DIGEST.
 */
export function requireSubmodules({ partDigests }: AuthenticToken, claims: ClaimReader, checks: Checklist): void {
  const named = claims.object('submods');
  const names = Object.keys(named).toSorted();
  const detached = [...partDigests.keys()].toSorted();
  checks.require('NRAS_SUBMODULES', names.join('\n') === detached.join('\n'), {
    expected: names.join(', ').slice(0, 256) || 'no device',
    actual: detached.join(', ').slice(0, 256),
  });
  for (const [name, digest] of partDigests) {
    const stated = digestOf(named[name]);
    checks.require('NRAS_SUBMODULE_DIGEST', stated === digest, {
      expected: `${name} with SHA-256 ${stated?.slice(0, 64) ?? '(none)'}`,
      actual: digest,
    });
  }
}

/** `["DIGEST", ["SHA-256", hex]]`. */
function digestOf(value: JsonValue | undefined): string | undefined {
  const [kind, detail] = Array.isArray(value) && value.length === 2 ? (value as readonly JsonValue[]) : [];
  const [algorithm, digest] = Array.isArray(detail) && detail.length === 2 ? (detail as readonly JsonValue[]) : [];
  return kind === 'DIGEST' && algorithm === 'SHA-256' && typeof digest === 'string' ? digest : undefined;
}
