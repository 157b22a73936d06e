import { randomBytes } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { bindingOf } from './binding.ts';
import { checkKey } from './checked-key.ts';
import { exercise, generateKey } from './generate.ts';
import {
  signRaw,
  unwrapByGcm,
  unwrapByRsa,
  wrapByGcm,
  wrapByRsa,
  type GcmHabit,
  type SigningCurve,
} from './mechanisms.ts';
import { capabilityNames, type Probe, type WrappingWay } from './messages.ts';
import { ModuleError, type Module } from './module.ts';
import { ckaId, describeKey, destroyObject, labelOf } from './objects.ts';

const kinds = ['aes-gcm', 'rsa-oaep', 'P-256', 'P-384', 'Ed25519'] as const satisfies readonly (
  WrappingWay | SigningCurve
)[];

/** How long each operation is repeated for its figure, milliseconds. */
const measuredFor = 200;

/**
 * What the token can do: makes a key of each kind that lives as long as the session, does with it what the store does
 * with its keys, and counts how often that works in a moment. Nothing is left on the token.
 */
export function probeToken(module: Module, session: bigint): Probe {
  return kinds.map((kind, index) => {
    const capability = capabilityNames[index] ?? capabilityNames[0];
    let made: bigint[] = [];
    try {
      const purpose = kind === 'aes-gcm' || kind === 'rsa-oaep' ? 'wrap' : 'sign';
      const name = { purpose, id: `probe-${randomBytes(8).toString('hex')}`, version: 1 } as const;
      const label = labelOf(name, new Date(0).toISOString(), { kind: 'pending', since: 0 });
      made = generateKey(module, session, kind, { token: false, id: ckaId(name), label });
      const object = made[0] === undefined ? undefined : describeKey(module, session, made[0]);
      if (object === undefined) return { capability, works: false, detail: 'keeps no id', perSecond: 0 };
      const habit: GcmHabit = { iv: 'ours' };
      const key = checkKey(module, session, object);
      exercise(module, session, key, habit);
      const binding = bindingOf('probe', 1, Uint8Array.of(1));
      const secret = randomBytes(32);
      const sealed =
        key.way === 'aes-gcm'
          ? wrapByGcm(module, session, key.handle, habit, binding, secret)
          : key.way === 'rsa-oaep'
            ? wrapByRsa(key.spki, binding, secret)
            : secret;
      const perSecond = rate(() => {
        if (key.way === 'aes-gcm') unwrapByGcm(module, session, key.handle, habit, binding, sealed);
        else if (key.way === 'rsa-oaep') unwrapByRsa(module, session, key, binding, sealed);
        else signRaw(module, session, key.handle, key.curve, secret);
      });
      return { capability, works: true, detail: '', perSecond };
    } catch (error) {
      return { capability, works: false, detail: reasonOf(error), perSecond: 0 };
    } finally {
      for (const handle of made) destroyObject(module, session, handle);
    }
  });
}

function rate(work: () => void): number {
  const started = performance.now();
  let count = 0;
  let elapsed = 0;
  do {
    work();
    count += 1;
    elapsed = performance.now() - started;
  } while (elapsed < measuredFor);
  return (count * 1000) / elapsed;
}

function reasonOf(error: unknown): string {
  if (error instanceof ModuleError) return error.message;
  return error instanceof FastnessError ? `${error.code}: ${error.detail ?? ''}`.slice(0, 256) : 'failed';
}
