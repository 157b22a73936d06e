import { describe, expect, it } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import { parsePkcs11Uri } from '../src/index.ts';

const module = 'module-path=/usr/lib/module.so';

describe('PKCS #11 URIs', () => {
  it('names a token, a module and where the PIN lies', () => {
    expect(
      parsePkcs11Uri(
        `pkcs11:token=The%20Software;serial=7e00;manufacturer=Snake%20Oil;model=M1;slot-id=3?${module}&pin-source=file:/etc/pin`,
      ),
    ).toEqual({
      modulePath: '/usr/lib/module.so',
      match: { token: 'The Software', serial: '7e00', manufacturer: 'Snake Oil', model: 'M1', slotId: 3 },
      pinSource: { kind: 'file', path: '/etc/pin' },
    });
  });

  it.each([
    ['/etc/pin', { kind: 'file', path: '/etc/pin' }],
    ['file:/etc/pin', { kind: 'file', path: '/etc/pin' }],
    ['file:///etc/pin', { kind: 'file', path: '/etc/pin' }],
    ['fd:9', { kind: 'descriptor', descriptor: 9 }],
  ])('reads the PIN from %s', (source, expected) => {
    expect(parsePkcs11Uri(`pkcs11:token=a?${module}&pin-source=${source}`).pinSource).toEqual(expected);
  });

  it('takes what NSS needs', () => {
    const uri = `pkcs11:token=a?${module}&x-library-parameters=configdir%3D'sql%3A%2Fdb'`;
    expect(parsePkcs11Uri(uri).libraryParameters).toBe("configdir='sql:/db'");
  });

  it.each([
    ['another scheme', `pkcs12:token=a?${module}`],
    ['no module', 'pkcs11:token=a'],
    ['a relative module', 'pkcs11:token=a?module-path=module.so'],
    ['a module by name', 'pkcs11:token=a?module-name=softhsm2'],
    ['no token', `pkcs11:?${module}`],
    ['an empty token', `pkcs11:token=?${module}`],
    ['a long token', `pkcs11:token=${'a'.repeat(33)}?${module}`],
    ['an attribute twice', `pkcs11:token=a;token=b?${module}`],
    ['a query attribute twice', `pkcs11:token=a?${module}&${module}`],
    ['an object', `pkcs11:token=a;object=key?${module}`],
    ['an id', `pkcs11:token=a;id=%01?${module}`],
    ['an unknown attribute', `pkcs11:token=a;colour=red?${module}`],
    ['an attribute without a value', `pkcs11:token?${module}`],
    ['a trailing separator', `pkcs11:token=a;?${module}`],
    ['a slot that is no number', `pkcs11:slot-id=0x1?${module}`],
    ['a blank', `pkcs11:token=a b?${module}`],
    ['a broken escape', `pkcs11:token=a%2?${module}`],
    ['bytes that are not UTF-8', `pkcs11:token=%ff?${module}`],
    ['two queries', `pkcs11:token=a?${module}?pin-source=/x`],
    ['a command for the PIN', `pkcs11:token=a?${module}&pin-source=|cat`],
    ['a relative PIN file', `pkcs11:token=a?${module}&pin-source=file:pin`],
    ['a PIN file on a host', `pkcs11:token=a?${module}&pin-source=file://host/pin`],
    ['a descriptor that is no number', `pkcs11:token=a?${module}&pin-source=fd:x`],
    ['a zero byte in the module', 'pkcs11:token=a?module-path=/a%00b'],
    ['too long a text', `pkcs11:token=a?${module}${'a'.repeat(5000)}`],
  ])('refuses %s', (_what, uri) => {
    expect(() => parsePkcs11Uri(uri)).toThrow(expect.objectContaining({ code: 'KEYS_HSM_URI' }) as Error);
  });

  it('refuses a PIN in the URI, and does not repeat it', () => {
    let refusal: unknown;
    try {
      parsePkcs11Uri(`pkcs11:token=a?${module}&pin-value=123456`);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(FastnessError);
    expect(refusal).toMatchObject({ code: 'KEYS_HSM_URI' });
    expect(String((refusal as Error).stack)).not.toContain('123456');
  });
});
