/**
 * What a command prints. Human lines by default; with `--json` one JSON object a line on standard output, and
 * nothing else there. Progress goes to standard error, so that output can be piped.
 */
export interface Output {
  readonly json: boolean;
  /** A step that is done, with the facts that were checked. `event` names it for machines. */
  step(event: string, text: string, facts?: Record<string, unknown>): void;
  /** A line of detail below a step; not shown in JSON, where it belongs into the step's facts. */
  detail(text: string): void;
  /** A warning that must not be overlooked. */
  warn(text: string): void;
  /** The command's result. */
  result(value: Record<string, unknown>, lines: readonly string[]): void;
  /** Progress of a long piece of work, `done` and `total` in bytes. */
  progress(label: string, done: number, total: number): void;
  /** Raw text for the reader (a model's answer); not used with `--json`. */
  text(text: string): void;
}

export interface OutputStreams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly errIsTerminal: boolean;
}

export const processStreams: OutputStreams = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY,
};

/**
 * Text without control characters other than line ends and tabs: a file or a model must not be able to move the cursor,
 * clear the screen and print a verdict of its own.
 */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

export function createOutput(json: boolean, streams: OutputStreams = processStreams): Output {
  let progressOpen = false;
  let lastPercent = -1;
  const closeProgress = (): void => {
    if (progressOpen) streams.err('\n');
    progressOpen = false;
    lastPercent = -1;
  };
  const line = (value: Record<string, unknown>): void => streams.out(`${JSON.stringify(value)}\n`);
  return {
    json,
    step(event, text, facts = {}) {
      closeProgress();
      if (json) line({ event, ...facts });
      else streams.out(`✓ ${plain(text)}\n`);
    },
    detail(text) {
      closeProgress();
      if (!json) streams.out(`    ${plain(text)}\n`);
    },
    warn(text) {
      closeProgress();
      if (json) line({ event: 'warning', text });
      else streams.err(`! ${plain(text)}\n`);
    },
    result(value, lines) {
      closeProgress();
      if (json) line({ event: 'result', ...value });
      else for (const text of lines) streams.out(`${plain(text)}\n`);
    },
    progress(label, done, total) {
      const percent = total === 0 ? 100 : Math.floor((done * 100) / total);
      if (json || percent === lastPercent) return;
      lastPercent = percent;
      if (!streams.errIsTerminal) {
        // Without a terminal a line at the end is enough; a carriage return would only fill a log.
        if (percent === 100) streams.err(`  ${label}: 100%\n`);
        return;
      }
      streams.err(`\r  ${label}: ${percent}%`);
      progressOpen = percent < 100;
      if (percent === 100) streams.err('\n');
    },
    text(text) {
      closeProgress();
      if (!json) streams.out(plain(text));
    },
  };
}
