import type { Engine } from '../../engine/engine.ts';
import type { Gate } from '../../access/gate.ts';
import type { TrafficShape } from '../traffic/shape.ts';
import type { ApiLimits } from './limits.ts';

/** What the endpoints of the inner API work with. */
export interface ApiContext {
  readonly engine: Engine;
  readonly modelId: string;
  readonly limits: ApiLimits;
  /** The enclave's time: the broker's, carried on by a clock that nobody outside can set. */
  readonly now: () => Date;
  /** What answers look like from outside. Absent: as the engine makes them. */
  readonly shape?: TrafficShape | undefined;
  /** Who is let in. */
  readonly gate: Gate;
  /** Fires when the lease is lost. */
  readonly lease: AbortSignal;
}
