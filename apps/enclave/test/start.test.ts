import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { configFileOf } from '../src/start/command-line.ts';
import { fixEnvironment } from '../src/start/environment.ts';
import { requireHardwareRules } from '../src/start/waivers.ts';
import { codeOf } from './codes.ts';
import { nodeSource, startNode } from './node-child.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

// Node writes profiles here, even of a program that refuses to start.
const directory = mkdtempSync(join(tmpdir(), 'fastness-start-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Starts main.ts with a configuration that does not exist: whoever gets that far is refused for nothing before it. */
async function started(options: { node?: string[]; environment?: Record<string, string> }): Promise<unknown> {
  const child = spawn(process.execPath, [...(options.node ?? ['--conditions=source']), main, '/nonexistent.json'], {
    env: { ...options.environment },
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => child.once('close', resolve));
  const last = text.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(last) as { code: unknown }).code;
}

describe('the environment', () => {
  it.each([
    'GGML_BACKEND_PATH',
    'GGML_ANYTHING',
    'LLAMA_ARG_MODEL',
    'ORT_LOGGING_LEVEL',
    'NODE_EXTRA_CA_CERTS',
    'NODE_V8_COVERAGE',
    'OPENSSL_CONF',
    'GCONV_PATH',
    'LD_BIND_NOW',
    'DYLD_INSERT_LIBRARIES',
    'OMP_NUM_THREADS',
    'GLIBC_TUNABLES',
    'HTTPS_PROXY',
    'path',
    'ANYTHING',
  ])('is refused with %s', (name) => {
    expect(codeOf(() => fixEnvironment({ PATH: '/usr/bin', [name]: 'secret' }))).toBe('ENCLAVE_ENVIRONMENT');
  });

  it('is told by names, printable and few, and never by values', () => {
    const given = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`X${index}\n`, 'secret']));
    expect(() => fixEnvironment(given)).toThrow(
      expect.objectContaining({ detail: 'X0?, X1?, X2?, X3?, X4? and 2 more.' }),
    );
  });

  it('has the same few values whatever was accepted', () => {
    const environment = {
      PATH: '/tmp/evil',
      HOME: '/tmp',
      LANG: '../../tmp',
      TZ: ':/tmp/evil',
      FASTNESS_SIMULATED_TEE: '/s',
    };
    fixEnvironment(environment);
    expect(environment).toEqual({ PATH: '/usr/bin:/bin', TZ: 'UTC', FASTNESS_SIMULATED_TEE: '/s' });
  });

  it('changes for native code too', async () => {
    const script = `
      import koffi from 'koffi';
      import { fixEnvironment } from ${nodeSource('../src/start/environment.ts')};
      const getenv = koffi.load('libc.so.6').func('const char *getenv(const char *name)');
      const look = () => JSON.stringify([getenv('HOME'), getenv('PATH')]);
      const before = look();
      fixEnvironment();
      console.log(before + look());`;
    expect(await startNode(script).output()).toMatch(/^\["\/nonexistent","[^"]+"\]\[null,"\/usr\/bin:\/bin"\]$/u);
  });

  it('is checked by the program, before the configuration', async () => {
    expect(await started({ environment: { GGML_BACKEND_PATH: '/nonexistent.so' } })).toBe('ENCLAVE_ENVIRONMENT');
    expect(await started({ environment: { NODE_OPTIONS: '--no-warnings' } })).toBe('ENCLAVE_ENVIRONMENT');
    expect(await started({ environment: { PATH: '/usr/bin', TZ: 'UTC' } })).toBe('ENCLAVE_CONFIG');
  });
});

describe('the command line', () => {
  it.each([
    '--import=data:text/javascript,0',
    '--require',
    '-r',
    '--loader=x',
    '--experimental-loader=x',
    '--heap_prof',
    '--heap-prof',
    '--cpu_prof',
    '--abort_on_uncaught_exception',
    '--redirect_warnings=/tmp/x',
    '--inspect',
    '--inspect_brk=0',
    '--heapsnapshot-signal=SIGUSR2',
    '--env-file=/tmp/x',
    '--openssl-config=/tmp/x',
    '--conditions=evil',
    '--conditions',
    '-C',
  ])('is refused with %s', (option) => {
    expect(codeOf(() => configFileOf(['--conditions=source', option], ['x.json']))).toBe('ENCLAVE_COMMAND_LINE');
  });

  it('takes the options of the project and one file', () => {
    expect(configFileOf(['--conditions=source', '--disable-warning=ExperimentalWarning'], ['x.json'])).toBe('x.json');
    expect(configFileOf([], ['x.json'])).toBe('x.json');
    expect(codeOf(() => configFileOf([], []))).toBe('ENCLAVE_CONFIG');
    expect(codeOf(() => configFileOf([], ['x.json', 'y.json']))).toBe('ENCLAVE_CONFIG');
  });

  it('tells the name of an option, not its value', () => {
    expect(() => configFileOf(['--import=data:,secret'], ['x'])).toThrow(
      expect.objectContaining({ detail: '--import is not an option of the enclave.' }),
    );
  });

  it('is checked by the program', async () => {
    for (const option of ['--heap_prof', '--abort_on_uncaught_exception', '--import=data:text/javascript,0'])
      expect(await started({ node: ['--conditions=source', option] }), option).toBe('ENCLAVE_COMMAND_LINE');
  });
});

describe('on real hardware', () => {
  const swap = { check: 'ENCLAVE_SWAP_ACTIVE', reason: 'a test' } as const;
  const clock = { check: 'ENCLAVE_CLOCK_SOURCE', reason: 'a test' } as const;
  const rules = (options: Partial<Parameters<typeof requireHardwareRules>[0]>) => () =>
    requireHardwareRules({ simulated: false, waivers: [], clockSource: 'tsc', ...options });

  it('the clock must be the processor’s, unless image and configuration do without', () => {
    expect(rules({})).not.toThrow();
    for (const clockSource of ['kvm-clock', 'hyperv_clocksource_tsc_page', 'xen', 'hpet', 'acpi_pm', 'unknown', ''])
      expect(codeOf(rules({ clockSource })), clockSource).toBe('ENCLAVE_CLOCK_SOURCE');
    expect(codeOf(rules({ clockSource: 'kvm-clock', allowed: [clock.check] }))).toBe('ENCLAVE_CLOCK_SOURCE');
    expect(codeOf(rules({ clockSource: 'kvm-clock', waivers: [clock] }))).toBe('ENCLAVE_WAIVER');
    expect(rules({ clockSource: 'kvm-clock', waivers: [clock], allowed: [clock.check] })).not.toThrow();
  });

  it('a waiver counts only where the image allows it', () => {
    expect(codeOf(rules({ waivers: [swap] }))).toBe('ENCLAVE_WAIVER');
    expect(codeOf(rules({ waivers: [swap], allowed: [clock.check] }))).toBe('ENCLAVE_WAIVER');
    expect(rules({ waivers: [swap], allowed: [swap.check] })).not.toThrow();
  });

  it('and nowhere else', () => {
    expect(rules({ simulated: true, waivers: [swap, clock], clockSource: 'kvm-clock' })).not.toThrow();
  });
});
