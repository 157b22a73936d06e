import { corimError } from '../fields.ts';

/**
 * One policy section out of several states, each a measurement and what goes with it. A policy lists measurements and the
 * rest apart, so all must agree in the rest: otherwise one state's measurement would be accepted with another's.
 * @throws CORIM_NOT_MAPPABLE
 */
export function merged<Rest extends object>(
  states: readonly (readonly [measurement: string, rest: Rest])[],
): { readonly measurements: readonly string[] } & Rest {
  const rests = new Set(states.map(([, rest]) => JSON.stringify(rest)));
  const [first] = states;
  if (first === undefined || rests.size !== 1) {
    throw corimError('CORIM_NOT_MAPPABLE', 'States that differ in more than their measurement.');
  }
  const measurements = [...new Set(states.map(([measurement]) => measurement))];
  return { measurements, ...first[1] };
}
