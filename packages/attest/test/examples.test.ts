import { readFileSync } from 'node:fs';
import { cmwCollectionToJson, cmwToJson } from '../src/index.ts';
import { describe, expect, it } from 'vitest';
import { verifyMachine } from '../../../examples/verify-machine.ts';
import { verifyQuote } from '../../../examples/verify-quote.ts';
import { prepareComposite } from './support/composite-forge.ts';
import { prepareDcap } from './support/dcap-forge.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('the page about the verifier', () => {
  it.each(['verify-quote', 'verify-machine'])('shows examples/%s.ts as it is', (name) => {
    const shown = new RegExp(`<!-- examples/${name}.ts -->\\s+\`\`\`ts\n([\\s\\S]*?)\`\`\``).exec(
      read('docs/verifier.md'),
    )?.[1];
    expect(shown).toBe(read(`examples/${name}.ts`));
  });

  it('verifies a quote, and says why it refuses one', async () => {
    const { evidence, policy, anchors, collateral, expectedReportData, now } = await prepareDcap();
    const given = { quote: evidence.value, collateral, reportData: expectedReportData, policy, now, anchors };
    expect(await verifyQuote(given)).toMatch(/^tdx [0-9a-f]{96} on [0-9a-f]{32}$/);
    const other = verifyQuote({ ...given, reportData: new Uint8Array(64) });
    await expect(other).rejects.toMatchObject({ cause: { code: 'TDX_REPORT_DATA_MISMATCH' } });
    await expect(other).rejects.toThrow(/after \d\d checks/);
  });

  it('verifies a machine with a GPU', async () => {
    const { evidence, endorsements, policy, anchors, session, now } = await prepareComposite();
    const answer = {
      evidence: JSON.parse(JSON.stringify(cmwCollectionToJson(evidence))) as unknown,
      endorsements: endorsements.map((endorsement) => cmwToJson(endorsement)),
    };
    const parts = await verifyMachine({ answer, session, policy, now, anchors });
    expect(parts.map((part) => part.split(' ')[0])).toEqual(['cpu0:', 'gpu0:']);
    const stale = { ...session, nonce: new Uint8Array(32) };
    await expect(verifyMachine({ answer, session: stale, policy, now, anchors })).rejects.toMatchObject({
      name: 'FastnessError',
    });
  });
});
