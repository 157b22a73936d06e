import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toBase64Url, utf8Encode } from '@fastness/codec';
import { chromiumPath, chromiumPresent } from '../../../packages/attest/test/support/browser/chromium.ts';
import { runInProcess } from '../../cli/test/support/in-process.ts';
import { receiptCommand } from '../../cli/src/commands/receipt.ts';
import { verifyCommand } from '../../cli/src/commands/verify.ts';
import { buildConsole, serveConsole, type ServedConsole } from '../node/index.ts';
import { startGenuineEnclave, type GenuineEnclave } from './support/genuine-enclave.ts';

// What passes for genuine: evidence in AMD's own format under a root that the page is handed in place of AMD's. With
// FASTNESS_SCREENSHOTS set to a folder, it leaves a picture of every state there.

const folderOfPictures = process.env['FASTNESS_SCREENSHOTS'];

describe.skipIf(!chromiumPresent)(`an accepted enclave (${chromiumPath})`, { timeout: 400_000 }, () => {
  let folder: string;
  let site: ServedConsole;
  let enclave: GenuineEnclave;
  let browser: Browser;
  let page: Page;
  let policyText: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-accepted-'));
    site = await serveConsole({
      site: () => buildConsole(new URL('support/main-with-roots.ts', import.meta.url)),
      host: '127.0.0.1',
      port: 0,
      fragment: async () => '',
    });
    enclave = await startGenuineEnclave(new URL(site.url).origin);
    policyText = JSON.stringify(enclave.policy);
    await writeFile(join(folder, 'policy.json'), policyText);
    await writeFile(join(folder, 'roots.json'), JSON.stringify(enclave.anchors));
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update'],
      chromiumSandbox: process.getuid?.() !== 0,
    });
    page = await browser.newPage({ colorScheme: 'light', acceptDownloads: true });
    page.setDefaultTimeout(120_000);
    await page.addInitScript((roots) => Object.assign(globalThis, { testRoots: roots }), enclave.anchors);
    const fragment = `enclave=${encodeURIComponent(enclave.relay)}&policy=${toBase64Url(utf8Encode(policyText))}`;
    await page.goto(`${site.url}/#${fragment}`);
    await page.locator('#policy-summary dl').waitFor();
  }, 400_000);

  afterAll(async () => {
    await browser?.close();
    await enclave?.[Symbol.asyncDispose]();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const picture = async (name: string): Promise<void> => {
    if (folderOfPictures !== undefined)
      await page.screenshot({ path: join(folderOfPictures, `${name}.png`), fullPage: true });
  };
  const summaryOf = async (label: string): Promise<string> =>
    page
      .locator('#policy-summary div', { has: page.locator('dt', { hasText: label }) })
      .locator('dd')
      .innerText();
  /** Presses Verify with this fingerprint in the form; returns the verdict. */
  const verifyWith = async (fingerprint: string, tone: 'accepted' | 'refused'): Promise<string> => {
    if (!(await page.locator('#fingerprint').isVisible())) await page.locator('#setup > summary').click();
    await page.locator('#fingerprint').fill(fingerprint);
    await page.locator('#verify').click();
    await page.locator(`#verdict .banner.${tone}`).waitFor();
    return page.locator('#verdict').innerText();
  };

  it('asks nobody when the fingerprint fits neither owner key nor policy', async () => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    expect(await verifyWith('ab'.repeat(32), 'refused')).toContain('CLIENT_POLICY_PIN');
    await picture('pin-refused');
    expect(await verifyWith('abc', 'refused')).toContain('64 hexadecimal digits');
    expect(asked).toEqual([]);
  });

  it('is green under the owner key that the reader compared: hardware, release, approvals, class, lease', async () => {
    const key = (await summaryOf('Owner key')).toUpperCase().replaceAll(/(..)(?=.)/g, '$1:');
    const verdict = await verifyWith(key, 'accepted');
    expect(verdict).toMatch(/^✓?\s*Verified\n/);
    expect(verdict).not.toMatch(/simulated/i);
    expect(await page.locator('#chat-simulated').isVisible()).toBe(false);
    const shown = await page.locator('#evidence').innerText();
    for (const text of [
      'root key pinned',
      'SNP firmware',
      'Advisories',
      'triage, version 7',
      'ada, grace (2 of 3 needed)',
      'this deployment: the owner’s broker gave the model to these keys',
      'by the owner’s broker, for 3600 seconds',
      'the fingerprint of the owner key',
      'What this does not protect',
    ])
      expect(shown).toContain(text);
    // The card names the key as the policy does.
    expect(shown.replaceAll('…', '')).toContain(key.replaceAll(':', '').toLowerCase().slice(0, 12));
    await page.locator('#checks > details > summary').click();
    const rows = page.locator('#checks tbody tr');
    const meanings = await rows.locator('td:nth-child(2)').allInnerTexts();
    expect(meanings.length).toBeGreaterThan(50);
    // A sentence and the code, for each.
    for (const meaning of meanings) expect(meaning).toMatch(/\w+ \w+ .*\.\s*[A-Z0-9_]+$/s);
    expect(await rows.locator('.pill.waived').count()).toBe(0);
    await page.locator('#checks > details > summary').click();
    await picture('accepted');
  });

  it('says which credential is missing, and takes it', async () => {
    await page.locator('#message').fill('Is anybody there?');
    await page.keyboard.press('Enter');
    await page.locator('.turn.unproved').waitFor();
    expect(await page.locator('.turn.unproved').innerText()).toMatch(/A credential is missing[^]*ENCLAVE_API_KEY/);
    await picture('no-key');
    await page.locator('#setup > summary').click();
    await page.locator('#api-key').fill(enclave.apiKey);
    await verifyWith('', 'accepted');
    expect(await page.locator('#evidence').innerText()).toContain('the policy is taken as it came');
  });

  it('answers with a receipt that verifies offline, under these roots and no others', async () => {
    await page.locator('#message').fill('72F c/o chest pain since this morning. Denies SOB. BP 84/52.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.proved').waitFor();
    expect(await page.locator('.turn.proved').innerText()).toMatch(/level=\d[^]*Receipt verified/);
    expect(await page.locator('.turn.proved').innerText()).not.toMatch(/simulated/i);
    const download = page.waitForEvent('download');
    await page.locator('.turn.proved button').click();
    const saved = join(folder, 'answer.receipt.json');
    await (await download).saveAs(saved);
    const policy = ['--policy', join(folder, 'policy.json')];
    const roots = ['--anchors', join(folder, 'roots.json')];
    const verified = await runInProcess(receiptCommand, folder, ['receipt', 'verify', saved, ...policy, ...roots]);
    expect(verified.events.find(({ event }) => event === 'receipt-verified')).toMatchObject({
      simulated: false,
      approvedBy: ['ada', 'grace'],
    });
    expect([verified.exitCode, JSON.stringify(verified.events)]).toEqual([0, expect.stringContaining('roots.json')]);
    const refused = await runInProcess(receiptCommand, folder, ['receipt', 'verify', saved, ...policy]);
    expect(refused.code).toBe('SNP_ARK_NOT_PINNED');
    await picture('accepted-answered');
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('accepted-dark');
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await picture('accepted-narrow');
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('takes the fingerprint of the policy as well, which is that of the file', async () => {
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256')
      .update(await readFile(join(folder, 'policy.json')))
      .digest('hex');
    await verifyWith(digest, 'accepted');
    expect(await page.locator('#evidence').innerText()).toContain('the fingerprint of the policy');
  });

  it('is verified by the command line over TLS that ends in the enclave, and not where it ends before', async () => {
    const options = ['--policy', join(folder, 'policy.json'), '--anchors', join(folder, 'roots.json'), '--direct-tls'];
    const verified = await runInProcess(verifyCommand, folder, ['verify', enclave.direct, ...options]);
    expect(verified.events.find(({ event }) => event === 'enclave-verified')).toMatchObject({
      simulated: false,
      deployment: 'this-deployment',
    });
    const plain = await runInProcess(verifyCommand, folder, ['verify', enclave.relay, ...options]);
    expect(plain.code).toBe('CLIENT_OPTION_INVALID');
  });
});
