import type { FakeAnswer } from './answer.ts';
import type { FakeRoutes } from './fake-service.ts';

/** Serves documents by their paths: key sets, status lists, certificates and lists of a certificate authority. */
export function fakeDocuments(documents: Readonly<Record<string, string | Uint8Array>>): FakeRoutes {
  return ({ method, path }) => {
    const body = method === 'GET' && Object.hasOwn(documents, path) ? documents[path] : undefined;
    if (body === undefined) return undefined;
    const contentType = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    return { contentType, body } satisfies FakeAnswer;
  };
}

/** Azure's instance metadata as a virtual machine sees it; without the header `Metadata: true` it refuses. PEM. */
export function fakeAzureThim(certification: {
  readonly vcekCert: string;
  readonly certificateChain: string;
}): FakeRoutes {
  return ({ method, path, headers }) => {
    if (method !== 'GET' || path !== '/metadata/THIM/amd/certification') return undefined;
    if (headers['metadata'] !== 'true') return { status: 400, body: '' };
    const body = JSON.stringify({ ...certification, tcbm: '', cacheControl: 'max-age=86400' });
    return { contentType: 'application/json', body };
  };
}
