import { FastnessError } from '../errors/index.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** Limits of `decodePem`. */
export interface PemOptions {
  /** Characters of text accepted; default 1 Mi. */
  readonly maxLength?: number;
  /** Blocks accepted; default 32. */
  readonly maxBlocks?: number;
}

/**
 * Reads the PEM blocks labelled `label` (RFC 7468, strict form: no headers, base64 lines of at most 76 characters).
 * Text and blocks with another label between them are skipped, as bundles carry comments.
 * @returns the DER of every matching block, in order; at least one.
 * @throws CODEC_MALFORMED when none matches or a block is broken, CODEC_LIMIT past the limits.
 */
export function decodePem(text: string, label: string, options: PemOptions = {}): Uint8Array[] {
  const { maxLength = 1 << 20, maxBlocks = 32 } = options;
  if (text.length > maxLength) throw new FastnessError('CODEC_LIMIT', `PEM of ${text.length} characters.`);
  const blocks: Uint8Array[] = [];
  let open: { label: string; lines: string[] } | undefined;
  for (const line of text.split('\n').map((each) => each.trimEnd())) {
    const boundary = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----$/.exec(line);
    if (boundary === null) {
      if (open !== undefined) open.lines.push(line);
    } else if (boundary[1] === 'BEGIN') {
      if (open !== undefined) throw new FastnessError('CODEC_MALFORMED', 'A PEM block begins inside another.');
      open = { label: boundary[2] ?? '', lines: [] };
    } else {
      if (open === undefined || open.label !== boundary[2]) {
        throw new FastnessError('CODEC_MALFORMED', 'A PEM block ends that did not begin.');
      }
      if (open.label === label) blocks.push(decodeLines(open.lines));
      if (blocks.length > maxBlocks) throw new FastnessError('CODEC_LIMIT', `More than ${maxBlocks} PEM blocks.`);
      open = undefined;
    }
  }
  if (open !== undefined) throw new FastnessError('CODEC_TRUNCATED', 'A PEM block has no end.');
  if (blocks.length === 0) throw new FastnessError('CODEC_MALFORMED', `No PEM block labelled ${label}.`);
  return blocks;
}

/** Writes one PEM block with lines of 64 characters and a final line feed. */
export function encodePem(der: Uint8Array, label: string): string {
  if (!/^[A-Z0-9 ]{1,64}$/.test(label)) throw new FastnessError('CODEC_VALUE', 'Not a PEM label.');
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function decodeLines(lines: readonly string[]): Uint8Array {
  if (lines.length === 0 || lines.some((line) => line.length === 0 || line.length > 76)) {
    throw new FastnessError('CODEC_MALFORMED', 'A PEM block has an empty or an overlong line.');
  }
  return fromBase64(lines.join(''));
}
