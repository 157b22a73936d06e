export {
  accessFile,
  maxAccessLength,
  maxKeysOfTenant,
  maxTenants,
  readAccess,
  tenantLimitsSchema,
  type Access,
  type TenantLimits,
} from './access-document.ts';
export { apiKeyDigest, apiKeyId, newApiKey, type NewApiKey } from './api-key.ts';
export { signAccess } from './sign-access.ts';
