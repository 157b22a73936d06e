/** Products that the forge knows. */
export type ForgedProduct = 'Milan' | 'Genoa' | 'Turin';

/** Security version numbers, 0..255 each; `fmc` on Turin only. */
export interface ForgedTcb {
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
  readonly fmc?: number;
}

/** What differs between products, written from AMD 56860 and 57230 apart from the verifier's own table. */
export interface ForgedProductFacts {
  /** productName in a VCEK; a VLEK has the bare product. */
  readonly vcekProductName: string;
  readonly structVersion: number;
  readonly hwidBytes: number;
  readonly cpuid: ForgedCpuid;
  /** At or above the floors of AMD-SB-3019. */
  readonly tcb: ForgedTcb;
  /** First serial of the product; the ARK has it, the ASK follows, the ASVK is at +0x101. */
  readonly serial: number;
  readonly tcbBytes: (tcb: ForgedTcb) => Uint8Array;
  /** Last arc of 1.3.6.1.4.1.3704.1.3.N and its value, in the order of real certificates. */
  readonly tcbExtensions: (tcb: ForgedTcb) => readonly (readonly [number, number])[];
}

export interface ForgedCpuid {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

const common = {
  structVersion: 0,
  hwidBytes: 64,
  // Bytes 2 to 5 are reserved.
  tcbBytes: (tcb: ForgedTcb) => Uint8Array.of(tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode),
  tcbExtensions: (tcb: ForgedTcb): [number, number][] => [
    [1, tcb.bootloader],
    [2, tcb.tee],
    [4, 0],
    [5, 0],
    [6, 0],
    [7, 0],
    [3, tcb.snp],
    [8, tcb.microcode],
  ],
};

export const forgedProducts: Readonly<Record<ForgedProduct, ForgedProductFacts>> = Object.freeze({
  Milan: {
    ...common,
    vcekProductName: 'Milan-B0',
    cpuid: { family: 0x19, model: 0x01, stepping: 0x01 },
    tcb: { bootloader: 4, tee: 0, snp: 27, microcode: 222 },
    serial: 0x1_0000,
  },
  Genoa: {
    ...common,
    vcekProductName: 'Genoa',
    cpuid: { family: 0x19, model: 0x11, stepping: 0x01 },
    tcb: { bootloader: 10, tee: 0, snp: 25, microcode: 84 },
    serial: 0x2_0000,
  },
  Turin: {
    vcekProductName: 'Turin',
    structVersion: 1,
    hwidBytes: 8,
    cpuid: { family: 0x1a, model: 0x02, stepping: 0x01 },
    tcb: { fmc: 1, bootloader: 1, tee: 1, snp: 4, microcode: 81 },
    serial: 0x3_0000,
    // Bytes 4 to 6 are reserved.
    tcbBytes: (tcb) => Uint8Array.of(tcb.fmc ?? 0, tcb.bootloader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode),
    tcbExtensions: (tcb) => [
      [9, tcb.fmc ?? 0],
      [1, tcb.bootloader],
      [2, tcb.tee],
      [3, tcb.snp],
      [5, 0],
      [6, 0],
      [7, 0],
      [8, tcb.microcode],
    ],
  },
});
