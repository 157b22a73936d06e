import { readFile } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import type { FakeRoutes } from './fake-service.ts';

/**
 * Serves answers that were recorded in a folder, one file for each path: `FOLDER/vcek/v1/Milan/cert_chain` answers
 * `/vcek/v1/Milan/cert_chain`. A query becomes part of the file's name, as `?` and its text, if such a file exists. Headers lie
 * beside it in `NAME.headers.json`.
 */
export function recordedFolder(folder: string): FakeRoutes {
  return async ({ path, query }) => {
    const base = normalize(join(folder, decodeURIComponent(path)));
    if (!base.startsWith(normalize(folder) + sep)) return undefined;
    const names = query.size === 0 ? [base] : [`${base}?${query.toString()}`, base];
    for (const name of names) {
      const body = await readFile(name).catch(() => undefined);
      if (body === undefined) continue;
      const recorded = await readFile(`${name}.headers.json`, 'utf8').catch(() => '{}');
      return { body, headers: textMembers(JSON.parse(recorded)) };
    }
    return undefined;
  };
}

function textMembers(value: unknown): Record<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : [])));
}
