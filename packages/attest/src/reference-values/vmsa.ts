import { PAGE } from './ovmf.ts';

/** Who starts machines: they set registers differently. */
export type SnpHypervisor = 'qemu' | 'ec2' | 'gce';

/** Where the first processor begins. */
export const RESET_VECTOR_ADDRESS = 0xffff_fff0;

interface FirstState {
  readonly code: number;
  readonly stack: number;
  readonly task: number;
  readonly pageAttributes: bigint;
  readonly rdx: number;
  readonly mxcsr: number;
  readonly x87Control: number;
}

function stateOf(hypervisor: SnpHypervisor, start: number, signature: number): FirstState {
  const qemu = { code: 0x9b, stack: 0x93, task: 0x8b, pageAttributes: 0x0007_0406_0007_0406n, rdx: signature };
  switch (hypervisor) {
    case 'qemu':
      return { ...qemu, mxcsr: 0x1f80, x87Control: 0x37f };
    case 'ec2': {
      const code = start === RESET_VECTOR_ADDRESS ? 0x9a : 0x9b;
      return { ...qemu, code, stack: 0x92, task: 0x83, rdx: 0x600, mxcsr: 0, x87Control: 0 };
    }
    case 'gce':
      break;
  }
  return { ...qemu, pageAttributes: 0x0007_0106n, rdx: 0x600, mxcsr: 0, x87Control: 0 };
}

/**
 * The page with the registers that a processor starts with (AMD64 Architecture Programmer's Manual, volume 2, table B-4: VMSA),
 * as KVM and the hypervisor fill it.
 */
export function vmsaPage(options: {
  readonly hypervisor: SnpHypervisor;
  /** Where the processor begins, guest physical. */
  readonly start: number;
  /** EAX of CPUID leaf 1. */
  readonly signature: number;
  /** SEV_FEATURES of the machine. */
  readonly features: bigint;
}): Uint8Array {
  const { hypervisor, start, signature, features } = options;
  const state = stateOf(hypervisor, start, signature);
  const page = new Uint8Array(PAGE);
  const view = new DataView(page.buffer);
  const segment = (at: number, selector: number, attributes: number, base = 0): void => {
    view.setUint16(at, selector, true);
    view.setUint16(at + 2, attributes, true);
    view.setUint32(at + 4, 0xffff, true);
    view.setBigUint64(at + 8, BigInt(base), true);
  };
  const word = (at: number, value: number | bigint): void => {
    view.setBigUint64(at, BigInt(value), true);
  };
  segment(0x00, 0, 0x93); // ES
  segment(0x10, 0xf000, state.code, start - (start % 0x1_0000)); // CS
  segment(0x20, 0, state.stack); // SS
  segment(0x30, 0, 0x93); // DS
  segment(0x40, 0, 0x93); // FS
  segment(0x50, 0, 0x93); // GS
  segment(0x60, 0, 0); // GDTR
  segment(0x70, 0, 0x82); // LDTR
  segment(0x80, 0, 0); // IDTR
  segment(0x90, 0, state.task); // TR
  word(0xd0, 0x1000); // EFER: SVME, by KVM
  word(0x148, 0x40); // CR4: MCE, by KVM
  word(0x158, 0x10); // CR0
  word(0x160, 0x400); // DR7
  word(0x168, 0xffff_0ff0); // DR6
  word(0x170, 2); // RFLAGS
  word(0x178, start % 0x1_0000); // RIP
  word(0x268, state.pageAttributes); // PAT
  word(0x310, state.rdx);
  word(0x3b0, features);
  word(0x3e8, 1); // XCR0
  view.setUint32(0x408, state.mxcsr, true);
  view.setUint16(0x410, state.x87Control, true);
  return page;
}
