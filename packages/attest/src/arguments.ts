import { FastnessError } from '@fastness/codec/errors';

/** What nobody can leave out: a verification takes nothing from elsewhere. */
const always = Object.freeze(['evidence', 'endorsements', 'policy', 'anchors', 'now'] as const);

/**
 * Names what is missing, before anything is looked at: callers may be plain JavaScript, and a name left out must not read
 * like a fault of the evidence. Throws ATTEST_ARGUMENT_INVALID.
 */
export function requireArguments(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`One object with ${always.join(', ')} and expectedReportData (or session) is missing.`);
  }
  const given = (name: string): unknown => Reflect.get(options, name);
  const lacks = (name: string) => given(name) === undefined || given(name) === null;
  const missing = [
    ...always.filter(lacks),
    ...(lacks('expectedReportData') && lacks('session') ? ['expectedReportData (or session)'] : []),
  ];
  if (missing.length > 0) throw invalid(`Missing: ${missing.join(', ')}.`);
  if (!Array.isArray(given('endorsements'))) throw invalid('endorsements is not a list.');
  if (typeof given('anchors') !== 'object') throw invalid('anchors is not an object.');
}

function invalid(detail: string): FastnessError {
  return new FastnessError('ATTEST_ARGUMENT_INVALID', detail);
}
