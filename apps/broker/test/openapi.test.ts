import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Broker } from '../src/index.ts';
import { rcarOptionsSchema } from '../src/rcar/options.ts';
import { createApp } from '../src/routes/app.ts';
import { describedRoutes } from '../src/operations/described-routes.ts';
import { describeRoutes } from '../src/operations/openapi.ts';
import { call } from './actors.ts';
import { createContext, tokenAuthentication } from './context.ts';
import { openAuditLog } from '../src/audit/log.ts';
import { openStore } from '../src/store/index.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let broker: Broker;

beforeAll(async () => {
  world = await createWorld(directory);
  const rate = { perSecond: 1000, burst: 1000 };
  broker = await world.start({ rcar: {}, limits: { rates: { adminFailure: { perAddress: rate, global: rate } } } });
});
afterAll(() => broker.close());

/** The JSON of the description, typed as far as the tests look. */
const description = z
  .looseObject({
    openapi: z.literal('3.1.0'),
    paths: z.record(
      z.string(),
      z.record(z.string(), z.looseObject({ operationId: z.string(), security: z.array(z.unknown()) })),
    ),
    components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
  })
  .parse(JSON.parse(JSON.stringify(describeRoutes())));

describe('the description of the broker', () => {
  it('is served, and is the one in docs', async () => {
    const answer = await call(`${broker.url}/openapi.json`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(JSON.parse(JSON.stringify(describeRoutes())));
    const file = new URL('../../../docs/openapi.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(answer.body);
  });

  it('has every route of the broker and no other', async () => {
    await using db = await openStore(freshPath(directory, 'database'));
    const now = () => world.clock.now;
    await using log = await openAuditLog({ path: freshPath(directory, 'audit'), now });
    const context = createContext({ world, db, claim: { instance: 'default', holder: '' }, audit: log, now });
    const app = createApp({
      context,
      authentication: await tokenAuthentication(),
      report: () => {},
      rcar: rcarOptionsSchema.parse({}),
    });
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !path.endsWith('*'))
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    const described = describedRoutes.map(({ method, path }) => `${method} ${path}`);
    // The log is served where a broker keeps one, below a prefix.
    expect(described.filter((route) => route !== 'get /v1/log/{resource}').toSorted()).toEqual(
      [...new Set(routes)].toSorted(),
    );
  });

  it('asks for the token of administrators exactly where the broker does', async () => {
    for (const { method, path, who } of describedRoutes) {
      const url = `${broker.url}${path.replaceAll(/\{\w+\}/g, 'x')}`;
      const { status } = await fetch(url, { method: method.toUpperCase() });
      if (path.startsWith('/kbs/')) continue;
      expect(status === 401, `${method} ${path}`).toBe(who === 'administrator');
    }
  });

  it('names each operation once, and refers to nothing that is not there', () => {
    const operations = Object.values(description.paths).flatMap((item) => Object.values(item));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const text = JSON.stringify(description);
    for (const [, name = ''] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      const schema = /^#\/components\/schemas\/(\w+)$/.exec(name)?.[1];
      expect(schema !== undefined && schema in description.components.schemas, name).toBe(true);
    }
  });
});
