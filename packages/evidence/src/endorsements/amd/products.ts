import { snpProductNames, type SnpProductName } from '@fastness/attest';
import { snpProducts } from '@fastness/attest/formats/snp';
import { fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** The names that AMD's service gives to the bytes of a TCB version. */
const parameters = Object.freeze({
  bootloader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
  fmc: 'fmcSPL',
});

/** Whether this is a product that AMD has a key service for. */
export function isSnpProduct(name: string): name is SnpProductName {
  return snpProductNames.some((each) => each === name);
}

/**
 * The product that family and model of a report name, if any does: reports have them from version 3 on. Bergamo and Siena
 * are Genoa to AMD's key service.
 */
export function productOfCpuid(cpuid: { readonly family: number; readonly model: number }): SnpProductName | undefined {
  return snpProductNames.find((name) => {
    const { family, models } = snpProducts[name].cpuid;
    return family === cpuid.family && models.some(([first, last]) => cpuid.model >= first && cpuid.model <= last);
  });
}

/**
 * A TCB version (8 bytes, hex) as the query that asks for its VCEK: `blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219`, on Turin
 * with `fmcSPL` (AMD 57230, "Versioned Chip Endorsement Key Certificate and KDS Interface", chapter 4).
 */
export function tcbQuery(product: SnpProductName, tcb: string): Record<string, string> {
  const bytes = fromHex(tcb);
  const query: Record<string, string> = {};
  for (const [index, { component }] of snpProducts[product].tcb.entries()) {
    if (component !== undefined) query[parameters[component]] = `${bytes[index] ?? 0}`;
  }
  return query;
}

/** The part of the 64 bytes in a report that AMD's service knows a chip by: on Turin the first 8. */
export function hwidOf(product: SnpProductName, chipId: string): string {
  const hwid = chipId.slice(0, snpProducts[product].chipIdBytes * 2);
  if (/^0*$/.test(hwid)) {
    throw new FastnessError(
      'ENDORSEMENT_EVIDENCE',
      'The report does not name its chip: the host has masked the chip id.',
    );
  }
  return hwid;
}
