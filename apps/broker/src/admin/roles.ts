/**
 * What administrators may be. An owner answers for models and rules; an approver carries approvals (what counts of them is
 * the signature of a member); an operator keeps keys and enclaves running and may stop them; an auditor reads.
 */
export const adminRoles = Object.freeze(['owner', 'approver', 'operator', 'auditor'] as const);
export type AdminRole = (typeof adminRoles)[number];

/** One route of administrators, and who may use it. Paths have their parameters in braces. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: `/v1/admin/${string}`;
  readonly roles: readonly AdminRole[];
}

const owner = Object.freeze(['owner'] as const);
const running = Object.freeze(['owner', 'operator'] as const);
const deciding = Object.freeze(['owner', 'approver', 'operator'] as const);
const reading = Object.freeze(['owner', 'operator', 'auditor'] as const);

/**
 * Every route of administrators with exactly the roles that may use it. A route that is not here is refused to everybody.
 * `HEAD` goes with `GET`.
 */
export const adminRoutes: readonly AdminRoute[] = Object.freeze(
  (
    [
      { method: 'GET', path: '/v1/admin/identity', roles: adminRoles },
      { method: 'PUT', path: '/v1/admin/releases', roles: owner },
      { method: 'POST', path: '/v1/admin/revocations', roles: running },
      { method: 'POST', path: '/v1/admin/revocations/preview', roles: reading },
      { method: 'GET', path: '/v1/admin/audit', roles: reading },
      { method: 'GET', path: '/v1/admin/leases', roles: reading },
      { method: 'PUT', path: '/v1/admin/wrapped-keys', roles: running },
      { method: 'GET', path: '/v1/admin/wrapping-keys', roles: reading },
      // See also `wrappingKeyRoles`: not every change is an operator's.
      { method: 'POST', path: '/v1/admin/wrapping-keys', roles: running },
      { method: 'GET', path: '/v1/admin/policy', roles: adminRoles },
      { method: 'PUT', path: '/v1/admin/policy', roles: owner },
      { method: 'GET', path: '/v1/admin/quorum', roles: adminRoles },
      { method: 'POST', path: '/v1/admin/proposals', roles: deciding },
      { method: 'GET', path: '/v1/admin/proposals', roles: adminRoles },
      { method: 'GET', path: '/v1/admin/proposals/{id}', roles: adminRoles },
      { method: 'POST', path: '/v1/admin/proposals/{id}/approvals', roles: deciding },
      { method: 'POST', path: '/v1/admin/proposals/{id}/execution', roles: running },
      { method: 'POST', path: '/v1/admin/proposals/{id}/cancellation', roles: deciding },
      { method: 'PUT', path: '/v1/admin/resources', roles: owner },
      { method: 'GET', path: '/v1/admin/resources', roles: reading },
      { method: 'DELETE', path: '/v1/admin/resources/{repository}/{type}/{tag}', roles: owner },
    ] satisfies AdminRoute[]
  ).map((route) => Object.freeze(route)),
);

/** Who may make which change with `POST /v1/admin/wrapping-keys`: what ends a key for good is the owner's. */
export const wrappingKeyRoles = Object.freeze({
  rotate: running,
  'minimum-version': owner,
  disable: running,
  enable: running,
  'schedule-destruction': owner,
  'cancel-destruction': running,
} satisfies Record<string, readonly AdminRole[]>);

/** The row of a route as the router names it (`/v1/admin/proposals/:id`); undefined when the table does not have it. */
export function adminRouteOf(method: string, path: string): AdminRoute | undefined {
  const braced = path.replaceAll(/:(\w+)/g, '{$1}');
  return adminRoutes.find((route) => route.method === method && route.path === braced);
}

/** Paths without parameters and what they take, as `Allow` says it. */
export function adminMethods(): [string, string][] {
  const methods = new Map<string, string[]>();
  for (const { method, path } of adminRoutes) {
    if (path.includes('{')) continue;
    methods.set(path, [...(methods.get(path) ?? []), ...(method === 'GET' ? ['GET', 'HEAD'] : [method])]);
  }
  return [...methods].map(([path, all]) => [path, all.toSorted().join(', ')]);
}

/** The name of a route in the audit log: what stands behind the prefix. Names come from the table alone. */
export function adminRouteName(path: string): string {
  const known = adminRoutes.find((route) => route.path === path)?.path;
  return known?.slice('/v1/admin/'.length).replaceAll(/\{(\w+)\}/g, ':$1') ?? 'other';
}
