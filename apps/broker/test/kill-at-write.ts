import { constants, existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { StatementSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * Loaded before a program (`--import`): ends it with SIGKILL just before its KILL_AT-th call that changes a file system or a
 * database of SQLite, as a power cut would, with no chance to clean up. Where KILL_ARMED names a file, calls count while it is there.
 */
const killAt = Number(process.env['KILL_AT'] ?? 0);
const armed = process.env['KILL_ARMED'];
let calls = 0;

function count(): void {
  if (armed !== undefined && !existsSync(armed)) return;
  calls += 1;
  if (calls === killAt) process.kill(process.pid, 'SIGKILL');
}

const probe = await fs.open(join(tmpdir(), `fastness-probe-${process.pid}`), 'w');
const prototype: object = Object.getPrototypeOf(probe);
await probe.close();
await fs.rm(join(tmpdir(), `fastness-probe-${process.pid}`));

function patch(target: object, name: string): void {
  const original: unknown = Reflect.get(target, name);
  if (typeof original !== 'function') return;
  Reflect.set(target, name, function (this: unknown, ...parameters: unknown[]): unknown {
    if (name !== 'open' || creates(parameters[1])) count();
    return Reflect.apply(original, this, parameters);
  });
}

/** Opening changes something only where it creates. */
function creates(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & constants.O_CREAT) !== 0;
  return typeof flags === 'string' && flags !== 'r';
}

// Not `sync`: a process that dies loses nothing that it wrote, so before and after it is the same.
for (const name of ['write', 'writeFile', 'truncate']) patch(prototype, name);
for (const name of ['open', 'rename', 'link', 'unlink', 'rm', 'writeFile', 'mkdir']) patch(fs, name);
// What a transaction writes is there when it commits and not before, so its statements are one write.
let inTransaction = false;
for (const name of ['run', 'all']) {
  const original: unknown = Reflect.get(StatementSync.prototype, name);
  if (typeof original !== 'function') continue;
  Reflect.set(StatementSync.prototype, name, function (this: StatementSync, ...parameters: unknown[]): unknown {
    const [word = ''] = /[a-z]+/.exec(this.sourceSQL.toLowerCase()) ?? [];
    if (word === 'begin') inTransaction = true;
    else if (word === 'commit' || word === 'rollback') inTransaction = false;
    if (!inTransaction && !['select', 'pragma', 'rollback'].includes(word)) count();
    return Reflect.apply(original, this, parameters);
  });
}
syncBuiltinESMExports();
