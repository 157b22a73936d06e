import { decodePem, encodePem } from '@fastness/codec';
import { describe, expect, test } from 'vitest';
import { expectCode, fuzz } from './support.ts';

const one = Uint8Array.from({ length: 100 }, (_, index) => index);
const two = Uint8Array.of(1, 2, 3);

describe('pem', () => {
  test('reads the blocks of one label among comments and others', () => {
    const text = `a comment\n${encodePem(one, 'CERTIFICATE')}\n${encodePem(two, 'X509 CRL')}${encodePem(two, 'CERTIFICATE')}`;
    expect(decodePem(text, 'CERTIFICATE')).toEqual([one, two]);
    expect(decodePem(text.replaceAll('\n', '\r\n'), 'X509 CRL')).toEqual([two]);
  });
  const block = encodePem(one, 'CERTIFICATE');
  test.each([
    ['no block', 'nothing here', 'CODEC_MALFORMED'],
    ['no end', block.replace(/-----END.*/, ''), 'CODEC_TRUNCATED'],
    ['an end alone', block.replace(/-----BEGIN.*\n/, ''), 'CODEC_MALFORMED'],
    ['another end', block.replace('END CERTIFICATE', 'END X509 CRL'), 'CODEC_MALFORMED'],
    ['a block in a block', block.replace('\n', `\n${block}`), 'CODEC_MALFORMED'],
    ['a header line', block.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n'), 'CODEC_MALFORMED'],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n', 'CODEC_MALFORMED'],
    ['cut base64', block.replace('=\n', '\n'), 'CODEC_TRUNCATED'],
    ['many blocks', block.repeat(33), 'CODEC_LIMIT'],
    ['much text', ' '.repeat(2 ** 20) + block, 'CODEC_LIMIT'],
  ] as const)('refuses %s', async (_, text, code) => expectCode(code, () => decodePem(text, 'CERTIFICATE')));
  test('mutations end in blocks or a typed error', () => {
    const sample = new TextEncoder().encode(`comment\n${block}${encodePem(two, 'X509 CRL')}`);
    const parse = (bytes: Uint8Array): unknown => decodePem(new TextDecoder('latin1').decode(bytes), 'CERTIFICATE');
    fuzz({ samples: [sample], rounds: 3000, parse });
  });
  test('refuses to write a label that would break out of its line', async () => {
    await expectCode('CODEC_VALUE', () => encodePem(one, 'A-----\nB'));
  });
});
