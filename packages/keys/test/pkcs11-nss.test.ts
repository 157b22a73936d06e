import { afterEach, beforeEach, describe, vi } from 'vitest';
import { openPkcs11KeyStore } from '../src/index.ts';
import { describeKeyStore } from './conformance.ts';
import { hasNss, makeNssToken, type TestToken } from './support/tokens.ts';

// Debian: libnss3 and libnss3-tools. Every case starts a process, and RSA takes milliseconds a time.
vi.setConfig({ testTimeout: 120_000 });

let token: TestToken;
const open = (wrapping: 'auto' | 'rsa-oaep') => () => openPkcs11KeyStore({ uri: token.uri(), wrapping });

describe.skipIf(!hasNss)('NSS softoken (skipped without Debian libnss3 and libnss3-tools)', () => {
  beforeEach(async () => {
    token = await makeNssToken();
  });
  afterEach(() => token[Symbol.asyncDispose]());
  describeKeyStore('PKCS #11, NSS softoken, AES-GCM', () => ({
    create: open('auto'),
    reopen: open('auto'),
    signing: ['P-256', 'P-384'],
  }));
  describeKeyStore('PKCS #11, NSS softoken, RSA-OAEP', () => ({
    create: open('rsa-oaep'),
    reopen: open('rsa-oaep'),
    signing: ['P-256', 'P-384'],
  }));
});
