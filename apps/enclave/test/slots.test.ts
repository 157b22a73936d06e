import { describe, expect, it } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import { Slots } from '../src/engine/slots.ts';
import { tenantOf } from '../src/serve/inner/tenant.ts';
import { codeOfAsync } from './codes.ts';

const never = new AbortController().signal;

/** Requests of tenants that tell in which order they were served. */
function line(slots: Slots<number>, order: string[]) {
  return (tenant: string, name: string): Promise<number> => {
    const got = slots.acquire(never, tenant);
    got.then(
      () => order.push(name),
      () => order.push(`${name} refused`),
    );
    return got;
  };
}

describe('a fair queue', () => {
  it('takes turns among tenants, and keeps the order of one', async () => {
    const order: string[] = [];
    const slots = new Slots([1], 10);
    const ask = line(slots, order);
    await ask('a', 'a0');
    const asked = [ask('a', 'a1'), ask('a', 'a2'), ask('a', 'a3'), ask('b', 'b1'), ask('b', 'b2'), ask('c', 'c1')];
    for (let count = asked.length; count > 0; count -= 1) slots.release(1);
    await Promise.all(asked);
    expect(order).toEqual(['a0', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  it('prefers who uses fewest', async () => {
    const order: string[] = [];
    const slots = new Slots([1, 2, 3], 10);
    const ask = line(slots, order);
    const [first, second] = [await ask('a', 'a'), await ask('a', 'a'), await ask('b', 'b')];
    const waiting = [ask('a', 'a again'), ask('c', 'c')];
    slots.release(first);
    await waiting[1];
    slots.release(second);
    await waiting[0];
    expect(order).toEqual(['a', 'a', 'b', 'c', 'a again']);
  });

  it('makes room for a tenant with less at the expense of the one with most, and never the other way round', async () => {
    const order: string[] = [];
    const slots = new Slots([1], 3);
    const ask = line(slots, order);
    await ask('a', 'a0');
    const greedy = [ask('a', 'a1'), ask('a', 'a2'), ask('a', 'a3')];
    expect(await codeOfAsync(ask('a', 'a4'))).toBe('ENCLAVE_BUSY');
    const modest = ask('b', 'b1');
    expect(await codeOfAsync(greedy[2] ?? Promise.resolve())).toBe('ENCLAVE_BUSY');
    expect(await codeOfAsync(ask('a', 'a5'))).toBe('ENCLAVE_BUSY');
    // Two and one: taking one from who has two would only turn it round.
    expect(await codeOfAsync(ask('b', 'b2'))).toBe('ENCLAVE_BUSY');
    slots.release(1);
    await greedy[0];
    slots.release(1);
    await modest;
    slots.release(1);
    await greedy[1];
    expect(order.filter((name) => !name.endsWith('refused'))).toEqual(['a0', 'a1', 'b1', 'a2']);
  });

  it('lets who gives up leave, and everybody go when it closes', async () => {
    const slots = new Slots([1], 2);
    await slots.acquire(never, 'a');
    const gone = new AbortController();
    const left = slots.acquire(gone.signal, 'a');
    gone.abort(new FastnessError('ENCLAVE_TIME_LIMIT'));
    expect(await codeOfAsync(left)).toBe('ENCLAVE_TIME_LIMIT');
    const next = slots.acquire(never, 'b');
    slots.release(1);
    expect(await next).toBe(1);
    const waiting = slots.acquire(never, 'c');
    slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
    expect(await codeOfAsync(waiting)).toBe('ENCLAVE_NOT_SERVING');
    expect(await codeOfAsync(slots.acquire(never))).toBe('ENCLAVE_NOT_SERVING');
    slots.release(1);
  });
});

describe('a tenant', () => {
  const of = (authorization?: string) => tenantOf(new Headers(authorization === undefined ? {} : { authorization }));

  it('is the same for one key, another for another, and shows neither', () => {
    expect(of('Bearer one')).toEqual(of('Bearer one'));
    expect(of('Bearer one')).not.toEqual(of('Bearer two'));
    expect(of('Bearer one').id).not.toBe(of('Bearer one').salt);
    expect(JSON.stringify(of('Bearer one'))).not.toContain('one"');
    for (const key of ['x', 'x'.repeat(100_000)]) expect(of(key).salt).toMatch(/^[\w-]{43}$/u);
  });

  it('shares no cache with anybody when it has no key', () => {
    expect(of().id).toBe('');
    expect(of().salt).not.toBe(of().salt);
  });
});
