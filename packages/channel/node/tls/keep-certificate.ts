import type { SecureContextOptions, Server } from 'node:tls';
import { pemOf } from './certificate.ts';
import type { TlsIdentity } from './identity.ts';

/** How often it is looked whether the certificate has to be a new one; it has half its life left then. */
const CHECK_MS = 15_000;

/**
 * Shows the certificate of an identity on new connections, and those that follow it. Returns what ends that. `onError` is told
 * why no certificate could be made; the last one stays.
 */
export function keepCertificate(
  server: Server,
  options: {
    readonly identity: TlsIdentity;
    /** Everything but key and certificate. */
    readonly context: SecureContextOptions;
    readonly onError: (error: unknown) => void;
  },
): () => void {
  const { identity, context, onError } = options;
  const key = pemOf(identity.key);
  let shown: string | undefined;
  const show = async (): Promise<void> => {
    const { pem } = await identity.certificate();
    if (pem === shown) return;
    server.setSecureContext({ ...context, key, cert: pem });
    shown = pem;
  };
  void show().catch(onError);
  const timer = setInterval(() => void show().catch(onError), CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
