import { pullStream, streamSource } from '@fastness/channel';
import { utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { holdBackEnd } from '../src/fetch/hold-back.ts';
import { streamFrom } from '../../channel/test/support/bytes.ts';

/** What has passed after each part and at the end. */
async function passing(...parts: string[]): Promise<string[]> {
  const seen: string[] = [];
  const asked: string[] = [];
  function* source() {
    for (const part of parts) {
      asked.push(part);
      yield utf8Encode(part);
    }
  }
  const stream = pullStream(holdBackEnd(streamSource(streamFrom(source()))));
  for await (const bytes of stream) seen.push(`${asked.length}:${utf8Decode(bytes)}`);
  return seen;
}

describe('the end mark of an event stream', () => {
  it('is held until the end, and what precedes it passes at once', async () => {
    expect(await passing('data: 1\n\n', 'data: 2\n\ndata: [DONE]\n', '\n')).toEqual([
      '1:data: 1\n\n',
      '2:data: 2\n\n',
      '3:data: [DONE]\n\n',
    ]);
  });

  it('is found however it is cut', async () => {
    const text = 'data: 1\n\ndata: [DONE]\n\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const seen = await passing(text.slice(0, cut), text.slice(cut), '');
      expect(seen.map((part) => part.slice(2)).join('')).toBe(text);
      expect(seen.at(-1)).toBe('3:data: [DONE]\n\n');
    }
    const bytes = await passing(...text.split(''));
    expect(bytes.map((part) => part.replace(/^\d+:/, '')).join('')).toBe(text);
    expect(bytes.at(-1)).toBe(`${text.length}:data: [DONE]\n\n`);
  });

  it('may lack its space, and may follow a carriage return', async () => {
    expect(await passing('data: 1\r\rdata:[DONE]\r\r')).toEqual(['1:data: 1\r\r', '1:data:[DONE]\r\r']);
  });

  it('is nothing but a line of its own', async () => {
    for (const text of ['data: "data: [DONE]"\n\n', ': data: [DONE]\n', 'data:  [DONE]\n', 'xdata: [DONE]\n']) {
      expect(await passing(text, 'data: 2\n')).toEqual([`1:${text}`, '2:data: 2\n']);
    }
    expect(await passing('a line ', 'data: [DONE] goes on\n', 'data: 2\n')).toEqual([
      '1:a line ',
      '2:data: [DONE] goes on\n',
      '3:data: 2\n',
    ]);
  });

  it('holds no stream that goes on for long', async () => {
    const more = 'x'.repeat(20_000);
    const seen = await passing('data: [DONE]\n\n', more, 'data: 2\n');
    expect(seen.map((part) => part.slice(0, 6))).toEqual(['2:data', '3:data']);
    expect(seen.join('').length).toBe(14 + 20_000 + 8 + 4);
  });

  it('lets an empty stream end', async () => {
    expect(await passing()).toEqual([]);
  });
});
