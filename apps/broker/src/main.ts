import { parseArgs } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';
import { loadBrokerConfig, startConfiguredBroker } from './config.ts';

// The broker as a process of its own: `main.ts --config FILE`. Ends cleanly on SIGTERM and SIGINT.
// Whoever read this output may be gone; that must not keep the broker from closing its log.
process.stderr.on('error', () => {});
const say = (line: string): void => {
  process.stderr.write(`broker: ${line}\n`);
};

// Fastness errors say nothing secret by design; of any other, only where it happened is told.
const describe = (error: unknown): string =>
  error instanceof FastnessError
    ? `${error.code}: ${error.message}`
    : ((error instanceof Error ? error.stack : undefined)?.split('\n').slice(0, 3).join(' ') ?? 'unknown error');

try {
  const { values } = parseArgs({ options: { config: { type: 'string' }, 'adopt-state': { type: 'boolean' } } });
  if (values.config === undefined) throw new FastnessError('BROKER_CONFIG_INVALID', 'Give --config FILE.');
  const config = await loadBrokerConfig(values.config);
  const broker = await startConfiguredBroker(config, {
    // A person's decision, for one start: see docs/rollback.md.
    adoptState: values['adopt-state'] ?? false,
    report: (error) => {
      say(describe(error));
      if (error instanceof Error && error.cause !== undefined) say(`caused by ${describe(error.cause)}`);
    },
  });
  if (broker.simulatedTeeAllowed) say('SIMULATED TEE ALLOWED: keys are released to software that only plays hardware.');
  say(`keys: ${broker.keyStore.description}`);
  if (broker.freshness === undefined)
    say('NO ROLLBACK PROTECTION: whoever restores database and log together brings back what was revoked.');
  else say(`rollback protection: ${broker.freshness.description}; ${broker.freshness.trust}`);
  say(`log key: ${broker.logKey}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`${signal}: closing`);
      broker.close().catch((error: unknown) => {
        say(describe(error));
        process.exitCode = 1;
      });
    });
  }
  // Last: whoever reads this may send a signal at once.
  say(`listening on ${broker.url}`);
} catch (error) {
  say(describe(error));
  if (error instanceof FastnessError) say(`next: ${error.next}`);
  process.exitCode = error instanceof FastnessError ? error.exitCode : 1;
}
