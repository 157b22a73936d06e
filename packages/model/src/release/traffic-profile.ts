/**
 * How an enclave shapes what it sends, weakest first. `off`: as the engine makes it. `balanced` and `strict`: frames of one
 * size at a constant pace, totals rounded, beginnings at fixed steps; docs/side-channels.md states the figures of each, what
 * they cost and what they leave.
 */
export const trafficProfiles = Object.freeze(['off', 'balanced', 'strict'] as const);
export type TrafficProfileName = (typeof trafficProfiles)[number];

/** The stronger of two profiles. */
export function strongerTraffic(one: TrafficProfileName, other: TrafficProfileName): TrafficProfileName {
  return trafficProfiles.indexOf(one) >= trafficProfiles.indexOf(other) ? one : other;
}

/** Whether `promised` is at least `wanted`; a release that promises nothing promises `off`. */
export function meetsTraffic(promised: TrafficProfileName | undefined, wanted: TrafficProfileName): boolean {
  return trafficProfiles.indexOf(promised ?? 'off') >= trafficProfiles.indexOf(wanted);
}
