// Runs in the page: what one verification costs there, beside the bare signature verification of the browser.
import { VerificationCache, verifyEvidence, type VerificationMeans } from '@fastness/attest';
import { fromWire, type WireOptions } from '../packages/attest/test/support/browser/wire.ts';

/** Milliseconds of one. */
export interface BrowserTimes {
  readonly floor: number;
  readonly uncached: number;
  readonly cached: number;
}

declare global {
  var measure: (wire: WireOptions, curve: 'P-256' | 'P-384', repetitions: number) => Promise<BrowserTimes>;
}

globalThis.measure = async (wire, curve, repetitions) => {
  const options = fromWire(wire);
  const hash = curve === 'P-256' ? 'SHA-256' : 'SHA-384';
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: curve }, false, ['sign', 'verify']);
  const message = new Uint8Array(1000);
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash }, pair.privateKey, message);
  const repeated = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    for (let count = 0; count < repetitions; count += 1) await work();
    return (performance.now() - started) / repetitions;
  };
  const ours = (means: VerificationMeans) => async () => verifyEvidence({ ...options, ...means });
  const cache = new VerificationCache();
  const floor = async () => crypto.subtle.verify({ name: 'ECDSA', hash }, pair.publicKey, signature, message);
  await repeated(ours({ cache }));
  return { floor: await repeated(floor), uncached: await repeated(ours({})), cached: await repeated(ours({ cache })) };
};
