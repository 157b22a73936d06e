import type { Claims } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import type { BrokerDatabase } from '../store/index.ts';

/*
 * The lowest TCB level that is still trusted, raised while the broker runs. It comes on top of the policy's own floor.
 *
 *   sev-snp:PRODUCT:COMPONENT=SVN   each part of the reported TCB at least that
 *   tdx:date=YYYY-MM-DD             the platform's TCB level is of that day or later; sgx likewise
 */
const snpForm = /^sev-snp:(milan|genoa|turin):(bootloader|tee|snp|microcode|fmc)=(\d{1,3})$/;
const dcapForm = /^(tdx|sgx):date=(\d{4}-\d{2}-\d{2})$/;

/** Brings a floor into the form in which it is compared. Throws `BROKER_REQUEST_INVALID`. */
export function canonicalTcbFloor(value: string): string {
  const text = value.toLowerCase();
  const snp = snpForm.exec(text);
  if (snp !== null && Number(snp[3]) <= 255) return `sev-snp:${snp[1]}:${snp[2]}=${Number(snp[3])}`;
  const dcap = dcapForm.exec(text);
  if (dcap !== null && !Number.isNaN(Date.parse(`${dcap[2]}T00:00:00Z`))) return text;
  throw new FastnessError(
    'BROKER_REQUEST_INVALID',
    'value: expected sev-snp:PRODUCT:COMPONENT=SVN, or tdx:date=YYYY-MM-DD or sgx:date=YYYY-MM-DD.',
  );
}

/** What a floor is compared with: names of parts and their numbers or days. */
export type TcbFacts = Readonly<Record<string, number | string>>;

/** The TCB that evidence states, in the terms of floors; empty where evidence of this kind states none. */
export function tcbOf(claims: Claims): TcbFacts {
  if (claims.tee === 'sev-snp') {
    const { product, tcb } = claims;
    return Object.fromEntries(
      Object.entries(tcb.reported).map(([part, svn]) => [`sev-snp:${product.toLowerCase()}:${part}`, svn]),
    );
  }
  if (claims.tee === 'tdx' || claims.tee === 'sgx') return { [`${claims.tee}:date`]: claims.tcb.date.slice(0, 10) };
  return {};
}

/** How facts stand to one floor; 'other' when it is about another product or TEE. */
export function compareTcb(facts: TcbFacts, floor: string): 'met' | 'below' | 'other' | 'unstated' {
  const at = floor.lastIndexOf('=');
  const part = floor.slice(0, at);
  const least = floor.slice(at + 1);
  const value = Object.hasOwn(facts, part) ? facts[part] : undefined;
  if (value === undefined) {
    // The same product without that component: it states less than the floor asks for.
    const product = part.slice(0, part.lastIndexOf(':') + 1);
    return Object.keys(facts).some((name) => name.startsWith(product)) ? 'unstated' : 'other';
  }
  const met = typeof value === 'number' ? value >= Number(least) : value >= least;
  return met ? 'met' : 'below';
}

/** Throws `LIFECYCLE_TCB_REVOKED`, `LIFECYCLE_TCB_UNKNOWN`. */
export async function refuseLowTcb(db: BrokerDatabase, facts: TcbFacts): Promise<void> {
  const floors = await db.selectFrom('revocations').select('value').where('kind', '=', 'tcb').execute();
  for (const { value } of floors) {
    const verdict = compareTcb(facts, value);
    if (verdict === 'below') throw new FastnessError('LIFECYCLE_TCB_REVOKED', `Lowest: ${value}.`);
    if (verdict === 'unstated') throw new FastnessError('LIFECYCLE_TCB_UNKNOWN', `Lowest: ${value}.`);
  }
}
