import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultRelayLimits } from '../../relay/src/limits.ts';
import { parseConfig } from '../src/config.ts';
import { createLog, errorFields } from '../src/log.ts';
import { FastnessError } from '@fastness/codec/errors';
import { codeOf } from './codes.ts';

const least = { listen: { port: 0 }, brokerUrl: 'http://127.0.0.1:7000', modelDir: '/model' };

describe('the configuration', () => {
  it('needs an address, a broker and a model, and has a default for everything else', () => {
    const config = parseConfig(least);
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 0 });
    expect(config.engine.sequences).toBe(4);
    expect(config.limits.tokensPerFrame).toBe(8);
    expect(config.evidence).toBe('auto');
    expect(config.waivers).toEqual([]);
  });

  it('holds more than a relay lets one address send at once', () => {
    const { concurrent, arriving } = parseConfig(least).limits;
    expect(defaultRelayLimits.connectionsPerAddress).toBeLessThan(concurrent);
    expect(defaultRelayLimits.connectionsPerAddress * 4).toBeLessThan(arriving);
    // 32 answers streamed at once, an attestation, and one to spare.
    expect(defaultRelayLimits.connectionsPerAddress).toBeGreaterThanOrEqual(34);
  });

  it('is written in the README as it is read here', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const example = /^ {4}\{\n[\s\S]*?^ {4}\}$/mu.exec(readme)?.[0] ?? '';
    expect(parseConfig(JSON.parse(example)).waivers).toHaveLength(1);
  });

  it.each([
    ['an unknown field', { ...least, debug: true }],
    ['no broker', { listen: { port: 0 }, modelDir: '/model' }],
    ['a broker of share zero', { ...least, brokerUrls: { 0: 'http://127.0.0.1:7000' } }],
    ['a broker of share seventeen', { ...least, brokerUrls: { 17: 'http://127.0.0.1:7000' } }],
    ['a broker that is no web address', { ...least, brokerUrl: 'file:///etc/passwd' }],
    ['a waiver of a check that cannot be waived', { ...least, waivers: [{ check: 'ENCLAVE_HARDENING', reason: 'x' }] }],
    ['a waiver without a reason', { ...least, waivers: [{ check: 'ENCLAVE_SWAP_ACTIVE', reason: '' }] }],
    ['a limit of nothing', { ...least, limits: { bodyBytes: 0 } }],
    ['no model', { listen: { port: 0 }, brokerUrl: 'http://127.0.0.1:7000' }],
    ['nothing', undefined],
  ])('refuses %s', (_name, value) => {
    expect(codeOf(() => parseConfig(value))).toBe('ENCLAVE_CONFIG');
  });
});

describe('the log', () => {
  it('is one line of JSON for each event', () => {
    const lines: string[] = [];
    createLog((line) => lines.push(line))('warn', 'event', { count: 1, text: 'a\nb' });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', event: 'event', count: 1, text: 'a\nb' });
    expect(lines[0]?.trimEnd()).not.toContain('\n');
  });

  it('quotes nothing of an error that it does not know', () => {
    expect(errorFields(new TypeError('secret content'))).toEqual({ code: 'unforeseen', detail: 'TypeError' });
    expect(errorFields(new FastnessError('ENCLAVE_BUSY', '3'))).toEqual({ code: 'ENCLAVE_BUSY', detail: '3' });
  });
});
