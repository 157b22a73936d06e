import { equalBytes } from '@fastness/codec';
import type { Checklist } from '../../../checks.ts';
import type { NvidiaKind } from '../layout.ts';
import type { NvidiaReport } from '../report.ts';
import type { RimDocument } from './document.ts';
import { productsOf, wantedRims } from './ids.ts';

/** A document and what it speaks for. */
export interface SelectedRim {
  readonly role: 'driver' | 'vbios';
  readonly document: RimDocument;
}

/**
 * Finds the documents of the device's product and versions among those that were handed in. Others may be there, for other
 * devices; but where one that is needed is missing while others are there, somebody sent the wrong ones.
 */
export function selectRims(
  documents: readonly RimDocument[],
  device: { readonly kind: NvidiaKind; readonly report: NvidiaReport; readonly chip: string },
  checks: Checklist,
): readonly SelectedRim[] {
  const { kind, report, chip } = device;
  const products = productsOf(report, chip);
  const fitting = documents.filter(({ edition, product }) => edition === kind.edition && products.includes(product));
  const wanted = wantedRims(report, chip);
  const found = wanted.map(({ role, version }) => ({
    role,
    candidates: distinct(fitting.filter((document) => document.version === version)),
  }));
  const selected = found.flatMap(({ role, candidates: [document] }) =>
    document === undefined ? [] : [{ role, document }],
  );
  const missing = wanted.filter(({ role }) => !selected.some((one) => one.role === role)).map(({ id }) => id);
  const others = documents.filter((document) => !found.some(({ candidates }) => candidates.includes(document)));
  const expected = wanted.map(({ id }) => id).join(' and ');
  checks.require(
    'NVIDIA_RIM_AMBIGUOUS',
    found.every(({ candidates }) => candidates.length <= 1),
    {
      expected: 'at most one document for each version',
      actual: found.map(({ role, candidates }) => `${role}: ${candidates.length}`).join(', '),
    },
  );
  checks.require('NVIDIA_RIM_FOREIGN', missing.length === 0 || others.length === 0, {
    expected,
    actual:
      others
        .map(({ product, version }) => `${product} ${version}`)
        .slice(0, 4)
        .join(', ') || 'nothing else',
  });
  checks.requireUnlessWaived('NVIDIA_RIM_MISSING', missing.length === 0, {
    expected,
    actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
  });
  return selected;
}

/** A document that is handed in twice counts once; one that was signed anew is another. */
function distinct(documents: readonly RimDocument[]): readonly RimDocument[] {
  return documents.filter((document, index) => !documents.slice(0, index).some((other) => isSame(document, other)));
}

function isSame(one: RimDocument, other: RimDocument): boolean {
  return (
    equalBytes(one.signed.signature, other.signed.signature) && equalBytes(one.signed.content, other.signed.content)
  );
}
