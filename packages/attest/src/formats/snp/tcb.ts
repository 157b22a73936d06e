import { fromHex } from '@fastness/codec';
import type { SnpTcb } from '../../claims/snp.ts';
import type { SnpTcbFloor } from '../../policy/snp.ts';
import type { SnpProduct, TcbComponent } from './products.ts';

const components: readonly TcbComponent[] = ['bootloader', 'tee', 'snp', 'microcode', 'fmc'];

/** Decodes a TCB version (8 bytes, hex) by the layout of the product. */
export function decodeTcb(product: SnpProduct, hex: string): SnpTcb {
  const bytes = fromHex(hex);
  const values: Partial<Record<TcbComponent, number>> = {};
  for (const [index, { component }] of product.tcb.entries()) {
    if (component !== undefined) values[component] = bytes[index] ?? 0;
  }
  const { bootloader = 0, tee = 0, snp = 0, microcode = 0, fmc } = values;
  return Object.freeze({ bootloader, tee, snp, microcode, ...(fmc === undefined ? {} : { fmc }) });
}

/** Whether no component is below its floor. A floor on a component that the product lacks is not met. */
export function meetsFloor(tcb: SnpTcb, floor: SnpTcbFloor): boolean {
  return components.every((component) => floor[component] === undefined || (tcb[component] ?? -1) >= floor[component]);
}

/** For people: "bootloader 4, tee 0, snp 24, microcode 219". */
export function describeTcb(tcb: SnpTcb | SnpTcbFloor): string {
  const parts = components.flatMap((component) =>
    tcb[component] === undefined ? [] : [`${component} ${tcb[component]}`],
  );
  return parts.length === 0 ? 'none' : parts.join(', ');
}
