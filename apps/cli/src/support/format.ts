/** 1536 -> "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function formatSeconds(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** The first characters of a digest: enough to compare by eye, and marked as cut. */
export function shortHex(hex: string): string {
  return hex.length <= 16 ? hex : `${hex.slice(0, 16)}…`;
}

const durationUnits: Readonly<Record<string, number>> = Object.freeze({ s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 });

/** "90d", "12h", "30m", "45s" as milliseconds; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,11})([smhd])$/.exec(text);
  if (match === null) return undefined;
  const [, count = '', unit = ''] = match;
  const factor = durationUnits[unit];
  return factor === undefined ? undefined : Number(count) * factor;
}
