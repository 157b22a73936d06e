import { randomBytes } from 'node:crypto';
import { utf8Encode } from '@fastness/codec';
import type { ManagedKeyStore, Pkcs11KeyStore } from '@fastness/keys';
import type { Context } from './run.ts';

/** How long unwrapping is measured, milliseconds, and how many callers ask at once. */
const measuredFor = 1000;
const callers = 16;

/** Says what a store is, what it can do, and what an operation costs. Nothing stays in the store. */
export async function diagnoseStore({ output }: Context, store: ManagedKeyStore): Promise<void> {
  const keys = await store.list();
  const kek = keys.find(({ purpose, disabledAt }) => purpose === 'wrap' && disabledAt === undefined);
  const unwraps = kek === undefined ? undefined : await unwrapsPerSecond(store, kek.id);
  const token = isToken(store) ? { token: store.token, profile: store.profile?.name, probe: await store.probe() } : {};
  const lines = [`Store: ${store.description}.`, `Keys: ${keys.length}.`];
  if (isToken(store)) {
    const { manufacturer, model, serial, firmware, library, interfaceVersion } = store.token;
    lines.push(
      `Token: ${manufacturer} ${model}, serial ${serial}, firmware ${firmware}; module ${library}, PKCS #11 ${interfaceVersion}.`,
    );
    for (const { capability, works, detail, perSecond } of token.probe ?? []) {
      lines.push(
        works
          ? `  ✓ ${capability}: ${figure(perSecond)} a second, one after the other`
          : `  – ${capability}: ${detail}`,
      );
    }
    const { profile } = store;
    lines.push(
      profile === undefined
        ? 'This module is not known here.'
        : `Known as ${profile.name} (${profile.tested}): ${profile.wrapping}.`,
    );
    for (const difference of profile?.differences ?? []) lines.push(`  ${difference}`);
  }
  if (store.signing !== undefined) {
    lines.push(`Wraps any key of at most 4096 bytes; signs with ${store.signing.join(', ')}.`);
  }
  if (kek !== undefined && unwraps !== undefined) {
    lines.push(`Unwrapping under ${kek.id}: ${figure(unwraps)} a second with ${callers} callers.`);
    if (!isToken(store) && store.kind !== 'software') lines.push('The service bills each of these requests.');
  }
  output.result(
    {
      store: store.description,
      kind: store.kind,
      hardware: store.hardware,
      keys: keys.length,
      ...(store.signing === undefined ? {} : { signing: store.signing }),
      ...token,
      ...(kek === undefined ? {} : { unwrapsPerSecond: unwraps, unwrapKey: kek.id }),
    },
    lines,
  );
}

function isToken(store: ManagedKeyStore): store is Pkcs11KeyStore {
  return store.kind === 'pkcs11';
}

function figure(perSecond: number): string {
  return perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2);
}

/** Of a secret that is nobody's, under a key that is there. */
async function unwrapsPerSecond(store: ManagedKeyStore, id: string): Promise<number> {
  const context = utf8Encode('fastness keys doctor');
  const wrapped = await store.wrap(id, randomBytes(32), context);
  const started = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      do {
        (await store.unwrap(wrapped, context)).fill(0);
        count += 1;
      } while (performance.now() - started < measuredFor);
    }),
  );
  return (count * 1000) / (performance.now() - started);
}
