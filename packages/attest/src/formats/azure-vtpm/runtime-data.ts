import { fromBase64Url, utf8Decode } from '@fastness/codec';
import { der } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';
import type { Checklist } from '../../checks.ts';
import { ATTESTATION_KEY_ID } from './layout.ts';

const keySchema = z.looseObject({ kid: z.string() });
const attestationKeySchema = z.looseObject({
  kid: z.literal(ATTESTATION_KEY_ID),
  kty: z.literal('RSA'),
  key_ops: z.tuple([z.literal('sign')]),
  n: z.string().max(2048),
  e: z.string().max(8),
});
const runtimeSchema = z.looseObject({
  keys: z.array(keySchema).max(16),
  'vm-configuration': z.looseObject({
    'secure-boot': z.boolean(),
    vmUniqueId: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i),
    'console-enabled': z.boolean().optional(),
    'tpm-persisted': z.boolean().optional(),
  }),
  'user-data': z
    .string()
    .regex(/^(?:[0-9a-f]{2}){0,64}$/i)
    .optional(),
});

/** What the paravisor says about the VM. The hardware's report vouches for it once its hash was compared. */
export interface RuntimeData {
  /** The key that signs quotes, DER SubjectPublicKeyInfo. */
  readonly attestationKey: Uint8Array;
  readonly secureBoot: boolean;
  /** Lower-case. */
  readonly vmId: string;
  readonly consoleEnabled?: boolean;
  /** Whether the TPM keeps its state, and with it its keys, when the VM is stopped. */
  readonly tpmPersisted?: boolean;
  /** What the guest wrote for its report, hex. */
  readonly userData?: string;
}

/**
 * Reads the runtime data: JSON with exactly one signing key `HCLAkPub` and the configuration of the VM. Other members are
 * allowed, as Azure adds some. Throws AZURE_VTPM_RUNTIME_DATA.
 */
export function readRuntimeData(bytes: Uint8Array, checks: Checklist): RuntimeData {
  const read = tryRead(bytes);
  checks.require('AZURE_VTPM_RUNTIME_DATA', typeof read !== 'string', {
    expected: `JSON with the key ${ATTESTATION_KEY_ID} and the configuration of the VM`,
    actual: typeof read === 'string' ? read : 'such',
  });
  return read;
}

/** The data, or what is wrong with it. */
function tryRead(bytes: Uint8Array): RuntimeData | string {
  let json: unknown;
  try {
    json = JSON.parse(utf8Decode(bytes));
  } catch {
    return 'no JSON';
  }
  const runtime = runtimeSchema.safeParse(json);
  if (!runtime.success) return `nothing fitting at ${runtime.error.issues[0]?.path.join('.') ?? ''}`;
  const { keys, 'vm-configuration': vm, 'user-data': userData } = runtime.data;
  const [key, ...others] = keys.filter(({ kid }) => kid === ATTESTATION_KEY_ID);
  const attestationKey = attestationKeySchema.safeParse(key);
  if (!attestationKey.success || others.length > 0) return `not one RSA key ${ATTESTATION_KEY_ID} for signing`;
  const spki = spkiOf(attestationKey.data);
  if (spki === undefined) return 'a key in another encoding';
  return Object.freeze({
    attestationKey: spki,
    secureBoot: vm['secure-boot'],
    vmId: vm.vmUniqueId.toLowerCase(),
    ...(vm['console-enabled'] === undefined ? {} : { consoleEnabled: vm['console-enabled'] }),
    ...(vm['tpm-persisted'] === undefined ? {} : { tpmPersisted: vm['tpm-persisted'] }),
    ...(userData === undefined ? {} : { userData: userData.toLowerCase() }),
  });
}

function spkiOf({ n, e }: { readonly n: string; readonly e: string }): Uint8Array | undefined {
  try {
    const key = der.sequence(der.unsigned(fromBase64Url(n)), der.unsigned(fromBase64Url(e)));
    return der.sequence(der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null()), der.bitString(key));
  } catch (error) {
    if (error instanceof FastnessError && error.code.startsWith('CODEC_')) return undefined;
    throw error;
  }
}
