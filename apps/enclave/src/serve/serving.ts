import type { ReleasePackage } from '@fastness/model/release';
import type { Permission } from '../lease.ts';
import type { KeyRing } from './key-ring.ts';
import type { TrafficShape } from './traffic/shape.ts';

/** What exists while the enclave serves, and is dropped as a whole when it stops. */
export interface Serving {
  readonly lease: Permission;
  readonly ring: KeyRing;
  /** The inner API. */
  readonly api: (request: Request) => Promise<Response>;
  readonly shape: TrafficShape | undefined;
  readonly release: ReleasePackage;
  readonly releaseDigest: Uint8Array;
}
