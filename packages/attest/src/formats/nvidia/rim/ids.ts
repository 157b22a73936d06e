import type { NvidiaReport } from '../report.ts';

/** One document that a report asks for. */
export interface RimWanted {
  readonly role: 'driver' | 'vbios';
  /** Name under which NVIDIA's RIM service serves it. */
  readonly id: string;
  readonly version: string;
}

/**
 * The documents that a report asks for, by the names that NVIDIA's RIM service gives them (attestation-sdk:
 * get_driver_rim_id, get_vbios_rim_id). The names come from the report and are as authentic as it is; what a document speaks
 * for is checked in the document itself.
 */
export function wantedRims(report: NvidiaReport, chip: string): readonly RimWanted[] {
  const { gpu, vbiosVersion } = report;
  const compact = vbiosVersion.replaceAll('.', '');
  if (gpu === undefined) {
    return Object.freeze([{ role: 'vbios', id: `NV_SWITCH_BIOS_5612_0002_890_${compact}`, version: vbiosVersion }]);
  }
  const { driverVersion, project, projectSku, chipSku, chipInfo } = gpu;
  const driver = chip.startsWith('GH') ? 'NV_GPU_DRIVER_GH100' : `NV_GPU_CC_DRIVER_${chipInfo ?? 'GB100'}`;
  const board = `${project}_${projectSku}_${chipSku}`.toUpperCase();
  return Object.freeze([
    { role: 'driver', id: `${driver}_${driverVersion}`, version: driverVersion },
    { role: 'vbios', id: `NV_GPU_VBIOS_${board}_${compact}`, version: vbiosVersion },
  ]);
}

/**
 * How documents name the product: as leaves do, without the underscore, or as the driver's document is named, which covers a
 * family of chips.
 */
export function productsOf({ gpu }: NvidiaReport, chip: string): readonly string[] {
  const names = gpu === undefined ? [chip] : [chip, chip.startsWith('GH') ? 'GH100' : (gpu.chipInfo ?? 'GB100')];
  return Object.freeze([...new Set(names.map((name) => name.replaceAll('_', '')))]);
}
