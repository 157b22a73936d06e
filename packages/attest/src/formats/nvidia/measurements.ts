import { toHex } from '@fastness/codec';
import { failed, type Checklist } from '../../checks.ts';
import { NVDEC0_INDEX } from './layout.ts';
import type { NvidiaReport } from './report.ts';
import type { SelectedRim } from './rim/select.ts';

/**
 * Compares what the device measured with what its documents list: every index that a document lists must be there with one of
 * the listed digests, no index may be listed by driver and firmware both, and what was measured must be listed. Measurement 35
 * is that of NVDEC0 and means nothing on a GPU without it. Returns the indexes that no document lists, if a waiver allows any.
 */
export function compareMeasurements(
  { measurements, gpu }: NvidiaReport,
  rims: readonly SelectedRim[],
  complete: boolean,
  checks: Checklist,
): readonly number[] {
  const listed = rims.map(({ role, document }) => ({ role, indexes: document.measurements }));
  const all = listed.flatMap(({ indexes }) => [...indexes.keys()]);
  const twice = all.find((index, place) => all.indexOf(index) !== place);
  checks.require('NVIDIA_INDEX_CONFLICT', twice === undefined, {
    expected: 'each measurement in one document',
    actual: twice === undefined ? `${all.length} measurements` : `${twice} in two`,
  });
  const skipped = (index: number): boolean => index === NVDEC0_INDEX && gpu?.nvdec0 === false;
  const compared = all.filter((index) => !skipped(index));
  const missing = compared.filter((index) => !measurements.has(index));
  checks.require('NVIDIA_MEASUREMENT_MISSING', missing.length === 0, {
    expected: `measurements ${compared.join(', ') || 'none'}`,
    actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
  });
  for (const { role, indexes } of listed) {
    for (const [index, accepted] of indexes) {
      const actual = toHex(measurements.get(index) ?? new Uint8Array());
      if (skipped(index) || accepted.includes(actual)) continue;
      throw failed('NVIDIA_MEASUREMENT_MISMATCH', {
        expected: `${accepted[0] ?? 'nothing'}${accepted.length > 1 ? ` or one of ${accepted.length - 1} more` : ''}`,
        actual: `${actual} as measurement ${index} of the ${role}`,
      });
    }
  }
  checks.require('NVIDIA_MEASUREMENT_MISMATCH', true, {
    expected: 'digests that the documents list',
    actual: `${compared.length} of ${compared.length}`,
  });
  if (!complete) {
    checks.notApplicable('NVIDIA_MEASUREMENT_UNCOVERED', 'a document is missing; its absence is waived');
    return uncoveredBy(all, measurements, skipped);
  }
  const uncovered = uncoveredBy(all, measurements, skipped);
  checks.requireUnlessWaived('NVIDIA_MEASUREMENT_UNCOVERED', uncovered.length === 0, {
    expected: 'nothing measured that no document lists',
    actual: uncovered.length === 0 ? 'nothing' : `measurements ${uncovered.join(', ')}`,
  });
  return uncovered;
}

/** Indexes that hold something and are listed nowhere. What was not measured is zero. */
function uncoveredBy(
  listed: readonly number[],
  measurements: ReadonlyMap<number, Uint8Array>,
  skipped: (index: number) => boolean,
): readonly number[] {
  const known = new Set(listed);
  return [...measurements]
    .filter(([index, value]) => !known.has(index) && !skipped(index) && value.some((byte) => byte !== 0))
    .map(([index]) => index);
}
