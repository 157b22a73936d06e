import type { ProcessFacts } from './enclave-process.ts';

/** One look at the enclave during a soak. */
export interface SoakSample extends ProcessFacts {
  readonly minutes: number;
  /** Time to the first token since the sample before: the median and the 99th of a hundred. */
  readonly medianMs: number;
  readonly slowMs: number;
}

const width = 720;
const height = 120;
const left = 64;
const gap = 44;

/** Memory, handles and latency over time, as an SVG of its own: no script, no font, readable on light and dark. */
export function soakPlot(samples: readonly SoakSample[]): string {
  const panels: [string, (sample: SoakSample) => number][] = [
    ['resident memory, MiB', ({ residentMiB }) => residentMiB],
    ['open handles', ({ handles }) => handles],
    ['time to first token, median, ms', ({ medianMs }) => medianMs],
    ['time to first token, 99th of a hundred, ms', ({ slowMs }) => slowMs],
  ];
  const end = Math.max(1e-9, ...samples.map(({ minutes }) => minutes));
  const body = panels.map(([title, of], index) =>
    panel(
      title,
      samples.map((at) => [at.minutes / end, of(at)]),
      index,
    ),
  );
  const total = panels.length * (height + gap) + 24;
  const axis = `<text x="${width}" y="${total - 8}" text-anchor="end">${end.toFixed(1)} minutes</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 16} ${total}" font-family="sans-serif" font-size="12">\n` +
    `<style>text{fill:#767676}.line{fill:none;stroke:#1f77b4;stroke-width:1.5}.frame{fill:none;stroke:#999}</style>\n` +
    `${body.join('\n')}\n${axis}\n</svg>\n`
  );
}

/** From zero, so that what looks flat is flat. */
function panel(title: string, points: readonly (readonly [number, number])[], index: number): string {
  const top = index * (height + gap) + 24;
  const known = points.filter(([, value]) => Number.isFinite(value));
  const most = Math.max(1e-9, ...known.map(([, value]) => value)) * 1.1;
  const line = known
    .map(([x, value]) => `${(left + x * (width - left)).toFixed(1)},${(top + height * (1 - value / most)).toFixed(1)}`)
    .join(' ');
  return [
    `<text x="${left}" y="${top - 6}">${title}</text>`,
    `<rect class="frame" x="${left}" y="${top}" width="${width - left}" height="${height}"/>`,
    `<text x="${left - 6}" y="${top + 10}" text-anchor="end">${most.toPrecision(3)}</text>`,
    `<text x="${left - 6}" y="${top + height}" text-anchor="end">0</text>`,
    `<polyline class="line" points="${line}"/>`,
  ].join('\n');
}
