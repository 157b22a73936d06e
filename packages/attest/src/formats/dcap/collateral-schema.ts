import * as z from 'zod';
import { tcbStatuses } from '../../policy/dcap.ts';

/**
 * TCB info of versions 3 and 2, enclave identities of version 2 (Intel SGX and TDX PCS REST API version 4). Members that are not listed
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

/**
 * Version 2 of TCB info (PCS API versions 2 and 3, retired) differs in two things: it is of SGX without saying so, and its
 * components are sixteen members with numbered names. It is read into the shape of version 3; whoever judges sees `version`.
 */
const unread = z.unknown();
const tcbInfoV2Schema = z.object({
  id: z.undefined().optional(),
  tcbLevels: z
    .array(
      z.object({
        tcb: z.record(z.string(), unread),
        tcbDate: unread,
        tcbStatus: unread,
        advisoryIDs: unread.optional(),
      }),
    )
    .max(256),
});

function fromVersion2(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 2) return value;
  const read = tcbInfoV2Schema.safeParse(value);
  if (!read.success) return undefined;
  const numbered = (index: number) => `sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`;
  return {
    ...value,
    id: 'SGX',
    tdxModuleIdentities: [],
    tcbLevels: read.data.tcbLevels.map(({ tcb, tcbDate, tcbStatus, advisoryIDs }) => ({
      tcb: {
        pcesvn: tcb['pcesvn'],
        sgxtcbcomponents: Array.from({ length: 16 }, (_, index) => ({ svn: tcb[numbered(index)] })),
      },
      tcbDate,
      tcbStatus,
      advisoryIDs,
    })),
  };
}

const tcbInfoV3Schema = z.object({
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
export const tcbInfoSchema = z.preprocess(fromVersion2, tcbInfoV3Schema);
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
