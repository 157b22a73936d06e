// Runs in the page: what the tests call there.
import { verdictOf, type WireOptions } from './wire.ts';

declare global {
  var judgeAll: (cases: readonly WireOptions[]) => Promise<string[]>;
}

globalThis.judgeAll = async (cases) => {
  const verdicts: string[] = [];
  for (const wire of cases) verdicts.push(await verdictOf(wire));
  return verdicts;
};
