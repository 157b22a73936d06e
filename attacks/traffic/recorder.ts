import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { OuterFetch } from '@fastness/client';
import type { Trace } from './trace.ts';

/** A relay in a process of its own that listens. */
export interface Recorder {
  readonly url: string;
  /** Carries exchanges so that the recorder can tell whose they are. */
  fetchAs(id: () => string): OuterFetch;
  /** The trace of the exchange with that id, once it ended. */
  traceOf(id: string): Promise<Trace>;
  stop(): Promise<void>;
}

type Message = { readonly url: string } | { readonly id: string; readonly trace: Trace };

export async function startRecorder(upstream: string): Promise<Recorder> {
  const child = fork(fileURLToPath(new URL('recorder-main.ts', import.meta.url)), [upstream], {
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const waiting = new Map<string, PromiseWithResolvers<Trace>>();
  const entry = (id: string): PromiseWithResolvers<Trace> => {
    const known = waiting.get(id) ?? Promise.withResolvers<Trace>();
    waiting.set(id, known);
    return known;
  };
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The recorder ended with ${code}.`)));
    child.on('message', (message) => {
      const told = message as Message;
      if ('url' in told) resolve(told.url);
      else entry(told.id).resolve(told.trace);
    });
  });
  return {
    url,
    fetchAs: (id) => async (input, init) =>
      fetch(input, { ...init, headers: { ...(init.headers as Record<string, string>), 'x-trace': id() } }),
    async traceOf(id) {
      const trace = await entry(id).promise;
      waiting.delete(id);
      return trace;
    },
    async stop() {
      child.disconnect();
      await ended;
    },
  };
}
