/** EAX of CPUID leaf 1 (AMD publication 25481) from its parts. */
function signature(family: number, model: number, stepping: number): number {
  const extended = Math.max(family - 15, 0);
  return ((extended << 20) | ((model >> 4) << 16) | (Math.min(family, 15) << 8) | ((model & 15) << 4) | stepping) >>> 0;
}

const naples = signature(23, 1, 2);
const rome = signature(23, 49, 0);
const milan = signature(25, 1, 1);
const genoa = signature(25, 17, 0);

/** Signatures of the processors that QEMU can show a guest, by the names of its `-cpu` option. */
export const cpuSignatures: Readonly<Record<string, number>> = Object.freeze({
  EPYC: naples,
  'EPYC-v1': naples,
  'EPYC-v2': naples,
  'EPYC-IBPB': naples,
  'EPYC-v3': naples,
  'EPYC-v4': naples,
  'EPYC-Rome': rome,
  'EPYC-Rome-v1': rome,
  'EPYC-Rome-v2': rome,
  'EPYC-Rome-v3': rome,
  'EPYC-Milan': milan,
  'EPYC-Milan-v1': milan,
  'EPYC-Milan-v2': milan,
  'EPYC-Genoa': genoa,
  'EPYC-Genoa-v1': genoa,
  'EPYC-Turin': signature(26, 0, 0),
});
