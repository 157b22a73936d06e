import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { BrokerContext } from '../context.ts';
import { checkShape, readJsonBody } from '../http/body.ts';
import type { BrokerApp } from '../routes/app.ts';
import { recordingAdmin } from '../routes/recording.ts';
import { resourcePathSchema } from './facts.ts';
import {
  listResources,
  registeredResourceSchema,
  registerResource,
  removeResource,
  resourceRegistrationSchema,
} from './resources.ts';

export const resourceQuery = z.strictObject({
  after: z.string().max(200).default(''),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

/** Answer to `GET /v1/admin/resources?after=PATH&limit=N`. */
export const resourcePageSchema = z.strictObject({ resources: z.array(registeredResourceSchema) });

/** Routes of administrators for resources; whoever calls this has authentication in front of them. */
export function addResourceAdminRoutes(app: BrokerApp, context: BrokerContext): void {
  const recording = recordingAdmin(context);

  app.put('/v1/admin/resources', async (c) => {
    const registered = await recording('resource-registration', async () =>
      registerResource(context, await readJsonBody(c.req.raw, resourceRegistrationSchema, context.limits.body.admin)),
    );
    return c.json(registered);
  });

  app.get('/v1/admin/resources', async (c) => {
    const resources = await listResources(context, checkShape(resourceQuery, c.req.query()));
    return c.json({ resources } satisfies z.infer<typeof resourcePageSchema>);
  });

  app.delete('/v1/admin/resources/:repository/:type/:tag', async (c) => {
    const { repository, type, tag } = c.req.param();
    const path = resourcePathSchema.safeParse(`${repository}/${type}/${tag}`);
    if (!path.success) throw new FastnessError('RCAR_PATH_INVALID');
    await recording('resource-registration', async () => removeResource(context, path.data));
    return c.json({ removed: path.data });
  });
}
