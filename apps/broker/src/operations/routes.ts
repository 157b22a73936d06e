/**
 * The name of a route in metrics: one of `known` that the path is or lies below, or `other`. Names come from the broker alone,
 * so strangers cannot make more of them.
 */
export function routeName(path: string, known: readonly string[]): string {
  if (known.includes(path) || path === '/kbs/v0/auth' || path === '/kbs/v0/attest') return path;
  if (path.startsWith('/kbs/v0/resource/')) return '/kbs/v0/resource';
  return known.find((route) => path.startsWith(route.endsWith('/') ? route : `${route}/`)) ?? 'other';
}
