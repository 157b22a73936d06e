import { FastnessError } from '@fastness/codec/errors';

type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line of JSON for an event of the enclave's life; never content of requests, never keys. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

/** `write` gets one line. The time is the machine's, which its host may set; it is there to match other logs. */
export function createLog(write: (line: string) => void): Log {
  return (level, event, fields = {}) => {
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  };
}

/**
 * What may be said about an error. Only errors of the registry promise that their detail holds no content, so of any
 * other just its kind is told.
 */
export function errorFields(error: unknown): LogFields {
  if (error instanceof FastnessError) return { code: error.code, detail: error.detail };
  return { code: 'unforeseen', detail: error instanceof Error ? error.name : typeof error };
}
