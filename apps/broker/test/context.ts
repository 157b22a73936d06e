import { openAdminAuthentication, type AdminAuthentication } from '../src/admin/authenticate.ts';
import type { AuditLog } from '../src/audit/log.ts';
import { createAuditNoise } from '../src/audit/noise.ts';
import type { BrokerContext } from '../src/context.ts';
import { brokerLimitsSchema, type BrokerLimitsInput } from '../src/limits.ts';
import { parseBrokerPolicy } from '../src/policy.ts';
import type { BrokerDatabase, InstanceClaim } from '../src/store/index.ts';
import { adminToken, sha256, type World } from './world.ts';

/** Administrators who are known by the bearer token of the tests alone. */
export async function tokenAuthentication(): Promise<AdminAuthentication> {
  return await openAdminAuthentication({
    tokenSha256: sha256(adminToken),
    tls: false,
    now: () => new Date(),
    clock: () => 0,
  });
}

/** What the stages of a broker share, without a broker around them. */
export function createContext(options: {
  world: World;
  db: BrokerDatabase;
  claim: InstanceClaim;
  audit: AuditLog;
  now: () => Date;
  limits?: BrokerLimitsInput;
}): BrokerContext {
  const { world, db, audit, now, limits = {} } = options;
  return {
    db,
    claim: options.claim,
    audit,
    noise: createAuditNoise({ log: audit, rate: { perSecond: 1, burst: 100 }, now, clock: () => 0 }),
    keyStore: world.keyStore,
    signer: {
      publicKey: world.brokerKey,
      keyId: 'ab'.repeat(32),
      sign: (message) => world.keyStore.sign('broker', message),
    },
    policy: parseBrokerPolicy(world.policy),
    anchors: world.anchors,
    limits: brokerLimitsSchema.parse(limits),
    now,
  };
}
