import { afterEach, beforeEach, describe, vi } from 'vitest';
import { openPkcs11KeyStore } from '../src/index.ts';
import { describeKeyStore } from './conformance.ts';
import { hasSoftHsm, makeSoftHsmToken, type TestToken } from './support/tokens.ts';

// Debian: softhsm2. Every case starts a process.
vi.setConfig({ testTimeout: 120_000 });

let token: TestToken;
const open = () => openPkcs11KeyStore({ uri: token.uri() });

describe.skipIf(!hasSoftHsm)('SoftHSM2 (skipped without Debian softhsm2)', () => {
  beforeEach(async () => {
    token = await makeSoftHsmToken();
  });
  afterEach(() => token[Symbol.asyncDispose]());
  describeKeyStore('PKCS #11, SoftHSM2', () => ({
    create: open,
    reopen: open,
    signing: ['P-256', 'P-384', 'Ed25519'],
  }));
});
