import type { SnpProductName } from '../../trust/anchors.ts';
import type { SnpTcbFloor } from '../../policy/snp.ts';

/** The components of a TCB version. */
export type TcbComponent = 'bootloader' | 'tee' | 'snp' | 'microcode' | 'fmc';

/**
 * One byte of a TCB version: the certificate extension 1.3.6.1.4.1.3704.1.3.N that certifies it, and the component it
 * holds. Bytes without a component are reserved, and are certified like the others.
 */
export interface TcbByte {
  readonly extension: number;
  readonly component?: TcbComponent;
}

/** What differs between processor generations. Below this table nothing switches on the product. */
export interface SnpProduct {
  readonly name: SnpProductName;
  /** The bytes of a TCB version, lowest first (AMD 56860, table TCB_VERSION; AMD 57230, VCEK extensions). */
  readonly tcb: readonly TcbByte[];
  /** Length of the chip id in bytes; the rest of the report's 64 bytes is zero. */
  readonly chipIdBytes: number;
  /** CPUID family and inclusive ranges of models. */
  readonly cpuid: { readonly family: number; readonly models: readonly (readonly [number, number])[] };
  /** The floor that applies when the policy names none for the product. */
  readonly defaultFloor: SnpTcbFloor;
}

const milanTcb: readonly TcbByte[] = [
  { extension: 1, component: 'bootloader' },
  { extension: 2, component: 'tee' },
  { extension: 4 },
  { extension: 5 },
  { extension: 6 },
  { extension: 7 },
  { extension: 3, component: 'snp' },
  { extension: 8, component: 'microcode' },
];

const turinTcb: readonly TcbByte[] = [
  { extension: 9, component: 'fmc' },
  { extension: 1, component: 'bootloader' },
  { extension: 2, component: 'tee' },
  { extension: 3, component: 'snp' },
  { extension: 5 },
  { extension: 6 },
  { extension: 7 },
  { extension: 8, component: 'microcode' },
];

/**
 * The products, by name. The default floors are those of AMD-SB-3019 (CVE-2024-56161: microcode signatures could be forged
 * below them). AMD has named no such floor for Turin.
 */
export const snpProducts: Readonly<Record<SnpProductName, SnpProduct>> = Object.freeze({
  Milan: {
    name: 'Milan',
    tcb: milanTcb,
    chipIdBytes: 64,
    cpuid: { family: 0x19, models: [[0x00, 0x0f]] },
    defaultFloor: { snp: 0x18 },
  },
  Genoa: {
    name: 'Genoa',
    tcb: milanTcb,
    chipIdBytes: 64,
    // The second range is Bergamo and Siena, which chain to the Genoa root.
    cpuid: {
      family: 0x19,
      models: [
        [0x10, 0x1f],
        [0xa0, 0xaf],
      ],
    },
    defaultFloor: { snp: 0x17 },
  },
  Turin: {
    name: 'Turin',
    tcb: turinTcb,
    chipIdBytes: 8,
    cpuid: { family: 0x1a, models: [[0x00, 0x1f]] },
    defaultFloor: {},
  },
});
