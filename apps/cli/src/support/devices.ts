import type { AttestationVerdict, Claims } from '@fastness/attest';
import { devicesOf, hardwareFactsOf, hardwareOf } from '@fastness/client';
import { shortHex } from './format.ts';

/** What was verified of each device beside the processor, a line a fact. */
export function deviceLines(verdict: AttestationVerdict): string[] {
  return devicesOf(verdict).flatMap(({ label, claims }) =>
    [
      hardwareOf(claims),
      `measurement ${shortHex(claims.measurement)}`,
      ...hardwareFactsOf(claims),
      `debug ${claims.debug ? 'ON' : 'off'}`,
    ].map((line) => `${label}: ${line}`),
  );
}

/** The same for machines, by label; nothing where there are none. */
export function deviceFacts(verdict: AttestationVerdict): { devices?: Record<string, Claims> } {
  const devices = devicesOf(verdict);
  return devices.length === 0
    ? {}
    : { devices: Object.fromEntries(devices.map(({ label, claims }) => [label, claims])) };
}

/** What was waived, and of which part of a machine. */
export function waiverLines({ waivers }: AttestationVerdict): string[] {
  return waivers.map(
    ({ check, reason, part }) => `Waived by the policy: ${part === undefined ? '' : `${part} `}${check} (${reason})`,
  );
}
