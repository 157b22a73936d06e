import * as z from 'zod';
import { snpProductNames } from '../trust/anchors.ts';

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes} bytes in lower-case hex`);
const listOf = <T extends z.ZodType>(member: T) =>
  z
    .array(member)
    .min(1)
    .max(1024)
    .refine((list) => new Set(list).size === list.length, 'an entry is listed twice');
const svn = z.int().min(0).max(255);
/** Milan and Genoa have chip ids of 64 bytes, Turin of 8. */
const chipId = z.string().regex(/^(?:[0-9a-f]{128}|[0-9a-f]{16})$/, 'expected 64 bytes (Turin: 8) in lower-case hex');

/** Floors of one product. A component that is absent has no floor. */
const tcbFloorSchema = z.strictObject({
  bootloader: svn.exactOptional(),
  tee: svn.exactOptional(),
  snp: svn.exactOptional(),
  microcode: svn.exactOptional(),
  fmc: svn.exactOptional().describe('Turin only.'),
});
export type SnpTcbFloor = z.infer<typeof tcbFloorSchema>;

/** Protections that a guest can ask for in its launch policy and that a verifier can insist on. */
export const guestProtections = Object.freeze([
  'single-socket',
  'memory-aes-256-xts',
  'rapl-disabled',
  'ciphertext-hiding',
  'page-swap-disabled',
] as const);
export type GuestProtection = (typeof guestProtections)[number];

/** Requirements on AMD SEV-SNP reports. Debugging and migration are refused unless waived by name. */
export const snpPolicySchema = z
  .strictObject({
    products: listOf(z.enum(snpProductNames))
      .exactOptional()
      .describe(
        'Processor generations that may run the guest. Absent: every one that is not denied; one of the two lists is needed.',
      ),
    denyProducts: listOf(z.enum(snpProductNames))
      .exactOptional()
      .describe(
        'Processor generations that are refused, whatever `products` lists: Milan, for instance, whose chips have given up the seed of their keys (arXiv 2605.12990). Absent: none.',
      ),
    signingKeys: listOf(z.enum(['vcek', 'vlek'])).describe(
      "Keys that may sign reports: 'vcek' names one chip; 'vlek' is leased to a cloud provider and names no chip.",
    ),
    vmpl: listOf(z.int().min(0).max(3)).describe(
      'Privilege levels that reports may be requested from. Guests on AWS run at 1.',
    ),
    measurements: z
      .union([listOf(hex(48)), z.literal('from-release')])
      .describe(
        "Launch measurements (SHA-384) that are accepted. 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
      ),
    minimumTcb: z
      .strictObject({
        Milan: tcbFloorSchema.exactOptional(),
        Genoa: tcbFloorSchema.exactOptional(),
        Turin: tcbFloorSchema.exactOptional(),
      })
      .describe(
        'Floors on the reported, committed, current and launch TCB. A product that is absent has the built-in floor (AMD-SB-3019: SNP 24 on Milan, 23 on Genoa; none on Turin). A product with an empty object has no floor.',
      ),
    hostData: listOf(hex(32))
      .exactOptional()
      .describe('Host data that is accepted. Absent: any; the host chooses it at launch.'),
    idKeyDigests: listOf(hex(48))
      .exactOptional()
      .describe('Digests of id keys, one of which must have signed the id block. Absent: any or none.'),
    authorKeyDigests: listOf(hex(48))
      .exactOptional()
      .describe('Digests of author keys, one of which must have certified the id key. Absent: any or none.'),
    chipIds: z
      .strictObject({
        allow: listOf(chipId).exactOptional().describe('Absent: every chip that is not denied.'),
        deny: listOf(chipId).exactOptional().describe('Absent: none.'),
      })
      .exactOptional()
      .describe(
        'Lists of chips. Absent: every chip. Present: reports signed by a VLEK are refused, for they name no chip.',
      ),
    cspIds: listOf(z.string().min(1).max(255))
      .exactOptional()
      .describe('Cloud providers whose VLEK is accepted, as the VLEK certificate names them. Absent: any.'),
    requireAliasCheck: z
      .boolean()
      .exactOptional()
      .describe(
        'Whether the platform must have completed its memory alias check (AMD-SB-3015, "BadRAM"). Absent: false.',
      ),
    requiredMitigations: z
      .string()
      .regex(/^[0-9a-f]{16}$/, 'expected a 64-bit mask in hex')
      .exactOptional()
      .describe(
        'Mask of vulnerability mitigations, 64 bits in big-endian hex, that must be set at launch and now; needs version 5 reports. Absent: none.',
      ),
    requireProtections: listOf(z.enum(guestProtections))
      .exactOptional()
      .describe('Protections that the guest policy must ask for. Absent: none.'),
    smt: z
      .enum(['allow', 'refuse'])
      .describe('Whether simultaneous multithreading may be allowed by the guest policy or on.'),
  })
  .refine(
    ({ products, denyProducts }) => products !== undefined || denyProducts !== undefined,
    'neither products nor denyProducts: say which processor generations may run the guest',
  )
  .refine(
    ({ products = snpProductNames, denyProducts = [] }) => products.some((name) => !denyProducts.includes(name)),
    'every processor generation is denied',
  );

export type SnpPolicy = z.infer<typeof snpPolicySchema>;
