import * as z from 'zod';
import { tcbStatuses } from '../../policy/dcap.ts';

/**
 * TCB info and enclave identities, version 3 and 2 (Intel SGX and TDX PCS REST API version 4). Members that are not listed
 * are signed as well and ignored: Intel adds some within a version. Hex is compared without case.
 */
const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`))
    .transform((value) => value.toLowerCase());
const instant = z.iso.datetime().transform((value) => new Date(value));
const svn = z.int().min(0).max(255);
const status = z.enum([...tcbStatuses, 'Revoked']);
const advisories = z.array(z.string().max(64)).max(256).default([]);
const components = z.array(z.object({ svn })).length(16);
const levels = <T extends z.ZodType>(tcb: T) =>
  z.array(z.object({ tcb, tcbDate: z.string(), tcbStatus: status, advisoryIDs: advisories })).max(256);
const isvLevels = levels(z.object({ isvsvn: z.int().min(0).max(65_535) }));
const moduleFacts = { mrsigner: hex(48), attributes: hex(8), attributesMask: hex(8) };

const common = {
  version: z.int(),
  issueDate: instant,
  nextUpdate: instant,
  tcbEvaluationDataNumber: z.int().min(0),
};

export const tcbInfoSchema = z.object({
  ...common,
  id: z.string(),
  fmspc: hex(6),
  pceId: hex(2),
  tcbType: z.int(),
  tdxModule: z.object(moduleFacts).exactOptional(),
  tdxModuleIdentities: z
    .array(z.object({ ...moduleFacts, id: z.string().max(32), tcbLevels: isvLevels }))
    .max(64)
    .default([]),
  tcbLevels: levels(
    z.object({
      sgxtcbcomponents: components,
      pcesvn: z.int().min(0).max(65_535),
      tdxtcbcomponents: components.exactOptional(),
    }),
  ),
});
export type TcbInfo = z.infer<typeof tcbInfoSchema>;

export const qeIdentitySchema = z.object({
  ...common,
  id: z.string(),
  miscselect: hex(4),
  miscselectMask: hex(4),
  attributes: hex(16),
  attributesMask: hex(16),
  mrsigner: hex(32),
  isvprodid: z.int().min(0).max(65_535),
  tcbLevels: isvLevels,
});
export type QeIdentity = z.infer<typeof qeIdentitySchema>;
