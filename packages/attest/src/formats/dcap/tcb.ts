import type { TcbStatus } from '../../policy/dcap.ts';

/** A status and the advisories that go with it. */
export interface TcbAssessment {
  readonly status: TcbStatus | 'Revoked';
  /** When Intel recommended the level that was met, ISO 8601. */
  readonly date: string;
  readonly advisories: readonly string[];
}

interface Flaws {
  readonly revoked?: true;
  readonly outOfDate?: true;
  readonly configuration?: true;
  readonly hardening?: true;
}

const flaws: Readonly<Record<TcbStatus | 'Revoked', Flaws>> = Object.freeze({
  UpToDate: {},
  SWHardeningNeeded: { hardening: true },
  ConfigurationNeeded: { configuration: true },
  ConfigurationAndSWHardeningNeeded: { configuration: true, hardening: true },
  OutOfDate: { outOfDate: true },
  OutOfDateConfigurationNeeded: { outOfDate: true, configuration: true },
  Revoked: { revoked: true },
});

/** The status that has every flaw of all of them: a component can only make the whole worse. */
export function mergeStatus(statuses: readonly (TcbStatus | 'Revoked')[]): TcbStatus | 'Revoked' {
  const has = (flaw: keyof Flaws) => statuses.some((status) => flaws[status][flaw] === true);
  if (has('revoked')) return 'Revoked';
  if (has('outOfDate')) return has('configuration') ? 'OutOfDateConfigurationNeeded' : 'OutOfDate';
  if (has('configuration')) return has('hardening') ? 'ConfigurationAndSWHardeningNeeded' : 'ConfigurationNeeded';
  return has('hardening') ? 'SWHardeningNeeded' : 'UpToDate';
}

/** Whether every value reaches its level; a missing one does not. */
export function reaches(values: readonly number[], level: readonly { readonly svn: number }[], from = 0): boolean {
  return level.every(({ svn }, index) => index < from || (values[index] ?? -1) >= svn);
}

/** Hex digits of 32 bits. */
const WORD = 8;

/** Compares `actual` with `expected` under `mask`; all hex of one length. */
export function equalUnderMask(actual: string, expected: string, mask: string): boolean {
  if (actual.length !== mask.length || expected.length !== mask.length) return false;
  for (let start = 0; start < mask.length; start += WORD) {
    const word = (hex: string) => Number.parseInt(hex.slice(start, start + WORD), 16);
    if (((word(actual) ^ word(expected)) & word(mask)) !== 0) return false;
  }
  return true;
}
