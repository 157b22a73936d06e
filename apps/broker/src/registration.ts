import { releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import { givenKeysSchema } from './model-keys.ts';

/** Body of `PUT /v1/admin/releases`: the release package and keys.json of the sealed model, or the share of this broker. */
export const registrationSchema = z.strictObject({ package: releasePackageSchema, keys: givenKeysSchema });
export type Registration = z.infer<typeof registrationSchema>;
