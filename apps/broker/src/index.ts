export { startBroker, type Broker, type BrokerOptions } from './broker.ts';
export { brokerPolicySchema, parseBrokerPolicy, type BrokerPolicy, type ParsedBrokerPolicy } from './policy.ts';
export {
  brokerEndorsementsSchema,
  openEndorsements,
  type BrokerEndorsements,
  type CompleteEndorsements,
} from './endorsements.ts';
export { openStore, type BrokerDatabase } from './store/index.ts';
export {
  postgresOptionsSchema,
  type DatabaseLocation,
  type PostgresOptions,
  type PostgresOptionsInput,
} from './store/location.ts';
export { brokerLimitsSchema, type BrokerLimits, type BrokerLimitsInput } from './limits.ts';
export { auditFacts, type AuditFacts, type AuditKind } from './audit/facts.ts';
export { auditEntrySchema, type AuditEntry, type AuditHead } from './audit/entry.ts';
export { brokerLogKey } from './audit/transparency.ts';
export type { BrokerLogOptions } from './audit/broker-log.ts';
export { verifyAuditLog, type AuditScan } from './audit/scan.ts';
export {
  deliveredShareSchema,
  givenKeysSchema,
  keysFor,
  modelKeysSchema,
  wrappedShareSchema,
  type GivenKeys,
} from './model-keys.ts';
export { createShareIntake, shareIntakeSchema, type ShareIntake } from './share-intake.ts';
export { brokerCardSchema, makeBrokerCard, readBrokerCard, shareHolderOf, type BrokerCard } from './broker-card.ts';
export {
  recordedRevocationSchema,
  registeredReleaseSchema,
  revocationPreviewSchema,
  revocationSchema,
  type RecordedRevocation,
  type RegisteredRelease,
  type RevocationPreview,
  type RevocationRequest,
} from './register.ts';
export * from './governance-api.ts';
export { registrationSchema, type Registration } from './registration.ts';
export { adminRoles, adminRoutes, type AdminRole, type AdminRoute } from './admin/roles.ts';
export { administratorsAt, administratorsSchema, type AdministratorsInput } from './admin/options.ts';
export {
  adminIdentitySchema,
  auditPageSchema,
  leasePageSchema,
  type AuditPage,
  type LeasePage,
} from './routes/admin.ts';
export type { ListenOptions } from './http/server.ts';
export {
  brokerConfigSchema,
  loadBrokerConfig,
  startConfiguredBroker,
  type BrokerConfig,
  type BrokerConfigInput,
  type ConfiguredBroker,
} from './config.ts';
export { witnessesSchema, type BrokerWitnessesConfig } from './audit/witnesses.ts';
export type { AnchorHost, BrokerFreshnessOptions } from './freshness/broker-freshness.ts';
export { openDatabaseAnchor, type AnchorTables, type DatabaseAnchorOptions } from './freshness/database-anchor.ts';
export { brokerFreshnessSchema, openAnchor, type BrokerFreshnessConfig } from './freshness/open-anchor.ts';
