import { readFile } from 'node:fs/promises';
import { buildConsole, type ConsoleSite } from './build.ts';

const names = Object.freeze(['index.html', 'console.js', 'console.css', 'icon.svg']);

/** The console: built from source where this runs from source, so that it is never an older one; as published otherwise. */
export async function consoleSite(): Promise<ConsoleSite> {
  if (import.meta.url.endsWith('.ts')) return buildConsole();
  const site = new Map<string, Uint8Array>();
  for (const name of names) site.set(name, new Uint8Array(await readFile(new URL(`../site/${name}`, import.meta.url))));
  return site;
}
