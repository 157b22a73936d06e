import { z } from 'zod';

/** Which administrator's request an entry is about; absent: none's, or an entry of before. Names come from the configuration. */
export const administratorFacts = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/),
  /** How he was authenticated. */
  via: z.enum(['token', 'certificate', 'oidc']),
  /** SHA-256 over issuer and subject of an access token, where the name stands for a group. */
  subject: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
