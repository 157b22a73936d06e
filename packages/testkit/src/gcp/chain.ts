import { der } from '@fastness/codec/der';
import { forgeAkChain, type ForgeAkChainOptions, type ForgedAkChain } from '../tpm/ak-chain.ts';
import { basicConstraints, type ForgedExtension } from '../x509/extensions.ts';
import type { ForgedNameFields } from '../x509/name.ts';

/** What Google writes about an instance. */
export interface ForgedInstance {
  readonly zone: string;
  readonly projectNumber: number | bigint;
  readonly projectId: string;
  readonly instanceId: number | bigint;
  readonly instanceName: string;
  readonly securityVersion?: number;
  /** Undefined leaves the properties out. */
  readonly production?: boolean | undefined;
}

export const forgedInstance: ForgedInstance = Object.freeze({
  zone: 'europe-forged1-b',
  projectNumber: 123_456_789_012,
  projectId: 'forged-project',
  instanceId: 0x7fff_ffff_ffff_ff01n,
  instanceName: 'forged-instance',
  production: true,
});

/** Object identifier of the extension. */
export const instanceInfoOid = '1.3.6.1.4.1.11129.2.1.21';

/** The extension that says which instance a key belongs to. */
export function instanceInfo(instance: Partial<ForgedInstance> = {}): ForgedExtension {
  const all = { ...forgedInstance, ...instance };
  const { production } = all;
  const properties =
    production === undefined
      ? []
      : [
          der.explicit(
            0,
            der.sequence(
              der.explicit(0, der.integer(all.securityVersion ?? 0)),
              der.explicit(1, der.boolean(production)),
              der.explicit(2, der.boolean(true)),
            ),
          ),
        ];
  const value = der.sequence(
    der.utf8String(all.zone),
    der.integer(all.projectNumber),
    der.utf8String(all.projectId),
    der.integer(all.instanceId),
    der.utf8String(all.instanceName),
    ...properties,
  );
  return { oid: instanceInfoOid, value };
}

/** The name of a certificate authority of Google Cloud. */
export function googleName(commonName: string): ForgedNameFields {
  return { organizationalUnit: 'Google Cloud', country: 'US', organization: 'Google LLC', commonName };
}

/** Forges the chain above the attestation key of an instance. */
export async function forgeGcpAkChain(
  options: ForgeAkChainOptions & { readonly instance?: Partial<ForgedInstance> },
): Promise<ForgedAkChain> {
  const { instance = {} } = options;
  const { zone, projectId, instanceId } = { ...forgedInstance, ...instance };
  const leaf: ForgedNameFields = { locality: zone, organizationalUnit: projectId, commonName: `${instanceId}` };
  const names = {
    root: googleName('EK/AK CA Root'),
    intermediate: googleName('EK/AK CA Intermediate'),
    leaf: { ...leaf, organization: 'Google Compute Engine' },
  };
  return forgeAkChain({ names, leafExtensions: [basicConstraints({ ca: false }), instanceInfo(instance)] }, options);
}
