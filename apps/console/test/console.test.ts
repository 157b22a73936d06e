import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, runCli, startCli, type CliProcess } from '../../../attacks/support/cli.ts';
import { chromiumPath, chromiumPresent } from '../../../packages/attest/test/support/browser/chromium.ts';
import { buildConsole, integrityOf } from '../node/index.ts';
import { buildClient } from '../../../scripts/build-browser.mjs';
import { askInPage, removeMlKem, serveFiles } from './support/client-page.ts';
import { startEvilRelay, type EvilRelay } from './support/evil-relay.ts';

// The page in Debian's Chromium, against the real processes, as `fastness up` starts them. With FASTNESS_SCREENSHOTS set to
// a folder, it leaves a picture of every state there.

const patient = { timeout: 120_000 };
const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';
const violation = /content security policy|trusted(?:html|script|types?)|integrity/i;
/** In evidence: five bytes of CBOR, then the report, whose signature begins at 0x2a0. */
const signatureAt = 5 + 0x2a0;
const folderOfPictures = process.env['FASTNESS_SCREENSHOTS'];

it('is the same page however often it is built, and names the digest of all that runs', patient, async () => {
  const [site, again] = [await buildConsole(), await buildConsole()];
  expect([...site.keys()]).toEqual(['index.html', 'console.js', 'console.css', 'icon.svg']);
  for (const [name, bytes] of site) expect(again.get(name), name).toEqual(bytes);
  const html = Buffer.from(site.get('index.html') ?? []).toString();
  for (const name of ['console.js', 'console.css']) {
    expect(html).toContain(`integrity="${integrityOf(site.get(name) ?? new Uint8Array(0))}"`);
  }
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|\{\{/);
});

describe.skipIf(!chromiumPresent)(`the console in Chromium (${chromiumPath})`, { timeout: 400_000 }, () => {
  let folder: string;
  let home: string;
  let up: CliProcess;
  let evil: EvilRelay;
  let browser: Browser;
  let page: Page;
  let start: string;
  let relay: string;
  const violations: string[] = [];
  const requested: string[] = [];
  const requestable = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-console-'));
    home = join(folder, 'home');
    // A short lease, so that a revocation takes effect soon.
    await mustRun(home, ['init']);
    const policyFile = join(home, 'policy/broker.json');
    const policy = JSON.parse(await readFile(policyFile, 'utf8')) as Record<string, unknown>;
    await writeFile(policyFile, JSON.stringify({ ...policy, lease: { ttlSeconds: 40, renewSuperseded: true } }));
    up = startCli(home, ['up', '--any-port']);
    const result = await up.waitFor(({ event }) => event === 'result', 500_000);
    start = String(result['consoleUrl']);
    relay = urlOf('relay-started');
    evil = await startEvilRelay(urlOf('enclave-started'));
    for (const address of [new URL(start).origin, relay, evil.url]) requestable.add(address);
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update'],
      chromiumSandbox: process.getuid?.() !== 0,
    });
    const context = await browser.newContext({ colorScheme: 'light', acceptDownloads: true });
    page = await context.newPage();
    page.setDefaultTimeout(patient.timeout);
    page.on('request', (request) => requested.push(new URL(request.url()).origin));
    page.on('console', (message) => {
      if (violation.test(message.text())) violations.push(message.text());
    });
    page.on('pageerror', (error) => violations.push(error.message));
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        // The page's console is how its test hears of it.
        // oxlint-disable-next-line no-console
        console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    await page.goto(start);
    await page.locator('#policy-summary dl').waitFor();
  }, 600_000);

  afterAll(async () => {
    await browser?.close();
    await evil?.[Symbol.asyncDispose]();
    await up?.stop('SIGINT');
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const urlOf = (event: string): string => String(up.events.find((each) => each['event'] === event)?.['url']);
  const picture = async (name: string): Promise<void> => {
    if (folderOfPictures !== undefined)
      await page.screenshot({ path: join(folderOfPictures, `${name}.png`), fullPage: true });
  };
  const verdict = (tone: string): Locator => page.locator(`#verdict .banner.${tone}`);
  const verify = async (address: string, tone: string): Promise<Locator> => {
    if (!(await page.locator('#address').isVisible())) await page.locator('#setup > summary').click();
    await page.locator('#address').fill(address);
    await page.locator('#verify').click();
    await page.locator('#verdict .banner:not(.working)').waitFor();
    await verdict(tone).waitFor();
    return verdict(tone);
  };

  it('is filled in by the link of `up`, says whose word the policy is, and verifies nothing by itself', async () => {
    expect(await page.locator('#address').inputValue()).toBe(relay);
    const summary = await page.locator('#policy-summary').innerText();
    expect(summary).toContain('whoever made the link chose what is accepted');
    expect(summary).toContain('2 of alice, bob, carol');
    expect(summary).toContain('SIMULATED');
    expect(await page.locator('#verdict').innerText()).toBe('');
    await picture('start');
  });

  it('verifies, asks and saves the receipt with the keyboard alone', async () => {
    await page.locator('#address').focus();
    await page.keyboard.press('Enter');
    await verdict('simulated').waitFor();
    // The verdict takes the focus, so that it is read out and the way on is short.
    expect(await focused()).toBe('H2');
    expect(await verdict('simulated').innerText()).toContain('SIMULATED: no hardware protects anything');
    expect(await page.locator('.banner.accepted').count()).toBe(0);
    const steps: string[] = [];
    while ((await focusedId()) !== 'message' && steps.length < 20) {
      await page.keyboard.press('Tab');
      steps.push(await focusedId());
    }
    expect(steps.at(-1)).toBe('message');
    await page.keyboard.type(note);
    await page.keyboard.press('Enter');
    await page.locator('.turn.proved').waitFor();
    expect(await page.locator('.turn.proved .text').innerText()).toMatch(/level=\d \| system=\S+/);
    expect(await page.locator('.turn.proved .mark').innerText()).toContain('SIMULATED');
    await expect.poll(focusedId, { timeout: 60_000 }).toBe('message');
    const save = page.locator('.turn.proved button');
    for (let step = 0; step < 6 && !(await save.evaluate((each) => each === document.activeElement)); step += 1) {
      await page.keyboard.press('Shift+Tab');
    }
    const download = page.waitForEvent('download');
    await page.keyboard.press('Enter');
    const saved = join(folder, 'saved.receipt.json');
    await (await download).saveAs(saved);
    const checked = await runCli(home, ['receipt', 'verify', saved]);
    expect(checked.events.at(-1)).toMatchObject({ event: 'result', conversations: 1, receipts: 1 });
    await picture('answered');
  });

  it('saves a conversation whose receipts are a chain, which verifies offline with what was said', async () => {
    await page.locator('#message').fill('45M twisted ankle. Walks.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.proved').nth(1).waitFor();
    const download = page.waitForEvent('download');
    await page.locator('#save-all').click();
    const saved = join(folder, 'conversation.json');
    await (await download).saveAs(saved);
    const checked = await runCli(home, ['receipt', 'verify', saved]);
    expect(checked.exitCode).toBe(0);
    const answers = checked.events.filter(({ event }) => event === 'receipt-verified');
    expect(answers).toHaveLength(2);
    for (const answer of answers) expect(answer).toMatchObject({ compared: { request: true, response: true } });
    expect(checked.events.at(-1)).toMatchObject({ event: 'result', conversations: 1, receipts: 2 });
    const file = JSON.parse(await readFile(saved, 'utf8')) as { receipts: unknown[]; bodies: unknown[] };
    await writeFile(
      saved,
      JSON.stringify({ ...file, receipts: file.receipts.toReversed(), bodies: file.bodies.toReversed() }),
    );
    const moved = await runCli(home, ['receipt', 'verify', saved]);
    expect([moved.code, moved.exitCode]).toEqual(['CLIENT_CONVERSATION_ORDER', 4]);
  });

  it('shows hardware, release, approvers, class, every check with its meaning, and what is not protected', async () => {
    const shown = await page.locator('#evidence').innerText();
    for (const text of [
      'SIMULATED SEV-SNP',
      'alice, bob (2 of 3 needed)',
      'this deployment: the owner’s broker gave the model to these keys',
      'by the owner’s broker, for 40 seconds',
      'Advisories',
      'Weights triage.gguf',
      'What this does not protect',
      'Sizes and times of messages',
    ])
      expect(shown).toContain(text);
    await page.locator('#checks > details > summary').click();
    const rows = await page.locator('#checks tbody tr').count();
    expect(rows).toBeGreaterThan(50);
    expect(await page.locator('#checks tr', { hasText: 'SNP_DEBUG_ALLOWED' }).innerText()).toMatch(/debug/i);
    await picture('checks');
  });

  it('names every field, and is as wide as a phone', async () => {
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('input, textarea, button')]
        .filter((field) => (field.labels?.length ?? 0) === 0 && field.textContent?.trim() === '')
        .map(({ id }) => id),
    );
    expect(nameless).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('dark');
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await picture('narrow');
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('refuses a forged enclave: code, meaning, what to do, and no way to talk to it', async () => {
    evil.tamper = (bundle) => {
      const evidence = Buffer.from(bundle.evidence[1], 'base64url');
      evidence[signatureAt] = (evidence[signatureAt] ?? 0) ^ 1;
      return { ...bundle, evidence: [bundle.evidence[0], evidence.toString('base64url')] };
    };
    const refused = await verify(evil.url, 'refused');
    const text = await refused.innerText();
    expect(text).toContain('SNP_REPORT_SIGNATURE');
    expect(text).toContain('Do not trust it');
    expect(text).toContain('No prompt was sent to it.');
    expect(await page.locator('#chat').isVisible()).toBe(false);
    expect(await page.locator('#evidence').isVisible()).toBe(false);
    expect(await focused()).toBe('H2');
    await picture('forged');
  });

  it('refuses a stale attestation, as it came and with its nonce replaced', async () => {
    const [old] = [evil.seen()];
    if (old === undefined) throw new Error('no attestation passed');
    evil.tamper = () => old;
    expect(await (await verify(evil.url, 'refused')).innerText()).toContain('CLIENT_NONCE_MISMATCH');
    evil.tamper = (bundle) => ({ ...old, nonce: bundle.nonce });
    expect(await (await verify(evil.url, 'refused')).innerText()).toMatch(/SNP_REPORT_DATA_MISMATCH/);
    await picture('stale');
    expect(evil.sealed()).toBe(0);
  });

  it('marks an answer that did not come through, and says what to do', async () => {
    evil.tamper = undefined;
    await verify(evil.url, 'simulated');
    await page.route(`${evil.url}/ohttp`, async (route) => route.abort());
    await page.locator('#message').fill('Is anybody there?');
    await page.keyboard.press('Enter');
    await page.locator('.turn.unproved').waitFor();
    expect(await page.locator('.turn.unproved').innerText()).toMatch(/No answer came\.[^]*CLIENT_UNREACHABLE/);
    await page.unroute(`${evil.url}/ohttp`);
    await picture('unproved');
  });

  it.each([
    ['with ML-KEM', false],
    ['without ML-KEM, which brings its own', true],
  ])('the client for pages agrees on X-Wing under the same rules, in a browser %s', async (_, without) => {
    evil.tamper = undefined;
    const served = await serveFiles(await buildClient());
    requestable.add(served.url);
    const other = await browser.newPage();
    const loaded: string[] = [];
    other.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    other.on('console', (message) => {
      if (violation.test(message.text())) violations.push(message.text());
    });
    if (without) await other.addInitScript(removeMlKem);
    await other.goto(served.url);
    await other.waitForFunction(() => 'fastness' in globalThis);
    const policy: unknown = JSON.parse(await readFile(join(home, 'policy/client.json'), 'utf8'));
    const found = await other.evaluate(askInPage, { url: evil.url, policy, note });
    expect(found.kems).toEqual([0x647a]);
    expect(found.text).toMatch(/level=\d/);
    expect(found.receipt).toBe('fastness/receipt/v1');
    expect(loaded.includes('/noble.js')).toBe(without);
    await other.close();
    await served.close();
  });

  it('refuses an enclave whose release was revoked', async () => {
    const origin = new URL(start).origin;
    const args = ['--listen', 'http://127.0.0.1:0', '--upstream', urlOf('enclave-started'), '--allow-origin', origin];
    const other = startCli(home, ['relay', ...args]);
    try {
      const url = String((await other.waitFor(({ event }) => event === 'listening'))['url']);
      requestable.add(url);
      await verify(url, 'simulated');
      const digest = String(up.events.find(({ event }) => event === 'release-signed')?.['releaseDigest']);
      await mustRun(home, ['revoke', 'release', digest, '--reason', 'a test', '--url', urlOf('broker-started')]);
      // The enclave ends with its lease, and `up`, which watches over it, says so.
      expect((await up.ended).code).toBe('CLI_SERVICE_ENDED');
      const text = await (await verify(url, 'refused')).innerText();
      expect(text).toContain('RELAY_UPSTREAM_UNAVAILABLE');
      expect(text).toContain('ask the operator whether the enclave runs and holds a lease');
      await picture('revoked');
    } finally {
      await other.stop();
    }
  });

  it('broke no rule of its content security policy, and talked to nobody else', () => {
    expect(violations).toEqual([]);
    expect(requested.length).toBeGreaterThan(10);
    expect([...new Set(requested)].filter((origin) => !requestable.has(origin))).toEqual([]);
  });

  const focused = async (): Promise<string> => page.evaluate(() => document.activeElement?.tagName ?? '');
  const focusedId = async (): Promise<string> => page.evaluate(() => document.activeElement?.id ?? '');
});
