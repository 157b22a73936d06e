import { decodeCbor } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';

const limits = Object.freeze({ maxBytes: 256, maxDepth: 2, maxItems: 16 });

/**
 * Reads the provisioning information of a remotely provisioned certificate: how many certificates Google issued to the
 * device in the last 30 days (developer.android.com, "Provisioning information extension"). Throws ANDROID_PROVISIONING_INFO,
 * CODEC_....
 */
export function readProvisioningInfo(value: Uint8Array): number {
  const map = decodeCbor(value, { limits, keyOrder: 'any' });
  const issued = map instanceof Map ? map.get(1) : undefined;
  if (typeof issued !== 'number' || issued < 0)
    throw new FastnessError('ANDROID_PROVISIONING_INFO', 'No number of certificates.');
  return issued;
}
