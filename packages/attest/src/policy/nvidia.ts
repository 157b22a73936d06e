import * as z from 'zod';

const listOf = <T extends z.ZodType>(member: T) =>
  z
    .array(member)
    .min(1)
    .max(1024)
    .refine((list) => new Set(list).size === list.length, 'an entry is listed twice');
const deviceId = z.string().regex(/^(?:[0-9a-f]{2}){1,21}$/, 'expected a serial number in lower-case hex');
const digest = z.string().regex(/^[0-9a-f]{96}$/, 'expected 48 bytes in lower-case hex');
const driverVersion = z.string().regex(/^\d{1,6}(?:\.\d{1,6}){1,3}$/, 'expected a version like 580.95.05');
const vbiosVersion = z
  .string()
  .regex(/^[0-9A-F]{2}(?:\.[0-9A-F]{2}){4}$/, 'expected a version like 96.00.5E.00.01, in capitals');

const deviceFields = {
  devices: z
    .strictObject({
      allow: listOf(deviceId).exactOptional().describe('Absent: every device that is not denied.'),
      deny: listOf(deviceId).exactOptional().describe('Absent: none.'),
    })
    .exactOptional()
    .describe(
      "Devices by the serial number of the chip's certificate (claims.identity). Absent: every genuine device.",
    ),
  measurements: listOf(digest)
    .exactOptional()
    .describe(
      "Sets of measurements that are accepted (claims.measurement), on top of NVIDIA's reference documents. Absent: every set that the documents vouch for.",
    ),
  vbiosVersions: z
    .strictObject({
      allow: listOf(vbiosVersion).exactOptional().describe('Absent: every version that is not denied.'),
      deny: listOf(vbiosVersion).exactOptional().describe('Absent: none.'),
    })
    .exactOptional()
    .describe('Versions of the VBIOS or switch firmware. Absent: every version that has a reference document.'),
  ocspMaxAgeSeconds: z
    .int()
    .min(60)
    .max(31_536_000)
    .exactOptional()
    .describe(
      'Age of an OCSP response at which it is refused, counted from its thisUpdate. Absent: until its nextUpdate; a day for a response without one.',
    ),
  ocspNonce: z
    .enum(['report-data', 'none'])
    .exactOptional()
    .describe(
      "'report-data': every OCSP response must carry the nonce of the session, so that none can be replayed. Absent or 'none': their dates decide.",
    ),
};

/** Modes of a GPU as its report states them; `unstated` is what older drivers say. */
export const nvidiaGpuModes = Object.freeze(['spt', 'mpt', 'ppcie', 'unstated'] as const);

/**
 * Requirements on reports of NVIDIA GPUs. Every measurement that NVIDIA's documents for the driver and the VBIOS list must
 * match, and what the device measured must be covered by one of them.
 */
export const nvidiaGpuPolicySchema = z.strictObject({
  architectures: listOf(z.enum(['hopper', 'blackwell'])).describe('Architectures that are accepted.'),
  modes: listOf(z.enum(nvidiaGpuModes))
    .exactOptional()
    .describe(
      "Modes that are accepted. Absent: 'spt', 'mpt' and 'unstated'. In 'ppcie' (protected PCIe) NVLink is not encrypted, so the switches must be attested as well.",
    ),
  minimumDriverVersion: driverVersion.exactOptional().describe('Absent: every version that has a reference document.'),
  deniedDriverVersions: listOf(driverVersion).exactOptional().describe('Absent: none.'),
  ...deviceFields,
});

/** Requirements on reports of NVSwitches. */
export const nvidiaNvswitchPolicySchema = z.strictObject(deviceFields);

export type NvidiaGpuPolicy = z.infer<typeof nvidiaGpuPolicySchema>;
export type NvidiaNvswitchPolicy = z.infer<typeof nvidiaNvswitchPolicySchema>;
