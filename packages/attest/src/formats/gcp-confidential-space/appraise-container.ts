import { anyOf, type Checklist } from '../../checks.ts';
import type { GcpConfidentialSpaceClaims } from '../../claims/token.ts';
import type { GcpConfidentialSpacePolicy } from '../../policy/gcp-confidential-space.ts';
import type { ClaimReader } from '../token/claims.ts';

const DIGEST = /^sha256:(?<hex>[0-9a-f]{64})$/;

/** What Google says about the container: its image, and what the operator changed about how it runs. */
export function appraiseContainer(
  container: ClaimReader,
  section: GcpConfidentialSpacePolicy,
  measurements: readonly string[],
  checks: Checklist,
): Pick<GcpConfidentialSpaceClaims, 'measurement' | 'imageReference' | 'arguments' | 'environment'> {
  const digest = container.text('image_digest');
  const measurement = DIGEST.exec(digest)?.groups?.['hex'];
  checks.require('GCS_MEASUREMENT_NOT_ALLOWED', measurement !== undefined && measurements.includes(measurement), {
    expected: anyOf(measurements),
    actual: digest.slice(0, 128),
  });
  const args = container.has('args') ? container.texts('args') : [];
  appraiseOverrides(container, section, checks);
  const wanted = section.arguments;
  if (wanted === undefined) checks.notApplicable('GCS_ARGUMENTS_NOT_ALLOWED', 'the policy names none');
  else
    checks.require(
      'GCS_ARGUMENTS_NOT_ALLOWED',
      args.length === wanted.length && args.every((argument, index) => argument === wanted[index]),
      { expected: JSON.stringify(wanted).slice(0, 256), actual: JSON.stringify(args).slice(0, 256) },
    );
  const environment = container.has('env') ? Object.entries(container.object('env')) : [];
  return {
    measurement,
    imageReference: container.text('image_reference'),
    arguments: args,
    environment: Object.freeze(
      Object.fromEntries(environment.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
    ),
  };
}

/** Whoever starts the instance can replace command and environment after the image was measured. */
function appraiseOverrides(container: ClaimReader, { overrides }: GcpConfidentialSpacePolicy, checks: Checklist): void {
  if (overrides === 'allow') {
    checks.notApplicable('GCS_OVERRIDDEN', 'the policy accepts overrides');
    return;
  }
  const command = container.has('cmd_override') && container.list('cmd_override').length > 0;
  const environment = container.has('env_override') && Object.keys(container.object('env_override')).length > 0;
  checks.require('GCS_OVERRIDDEN', !command && !environment, {
    expected: 'the command and environment of the image',
    actual:
      [command ? 'another command' : '', environment ? 'another environment' : ''].filter(Boolean).join(' and ') ||
      'both',
  });
}
