import { releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import { modelKeysSchema } from './authorise-release.ts';

/** Body of `PUT /v1/admin/releases`: the release package and keys.json of the sealed model. */
export const registrationSchema = z.strictObject({ package: releasePackageSchema, keys: modelKeysSchema });
export type Registration = z.infer<typeof registrationSchema>;
