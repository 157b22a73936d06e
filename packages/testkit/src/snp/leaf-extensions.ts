import { der } from '@fastness/codec/der';
import type { ForgedExtension } from '../x509/extensions.ts';
import { forgedProducts, type ForgedProduct, type ForgedTcb } from './products.ts';

/** Arc of AMD's certificate extensions (AMD 57230). */
export const amdArc = '1.3.6.1.4.1.3704.1';

/**
 * The extensions of a VCEK or VLEK certificate as AMD writes them: INTEGERs, IA5Strings, and for the hardware id the bare
 * bytes without any DER around them.
 */
export function amdLeafExtensions(options: {
  readonly product: ForgedProduct;
  readonly kind: 'vcek' | 'vlek';
  readonly tcb: ForgedTcb;
  readonly hwid: Uint8Array;
  readonly cspId: string;
}): ForgedExtension[] {
  const { product, kind, tcb, hwid, cspId } = options;
  const facts = forgedProducts[product];
  const productName = kind === 'vcek' ? facts.vcekProductName : product;
  const identity: ForgedExtension =
    kind === 'vcek' ? { oid: `${amdArc}.4`, value: hwid } : { oid: `${amdArc}.5`, value: der.ia5String(cspId) };
  return [
    { oid: `${amdArc}.1`, value: der.integer(facts.structVersion) },
    { oid: `${amdArc}.2`, value: der.ia5String(productName) },
    ...facts.tcbExtensions(tcb).map(([arc, value]) => ({ oid: `${amdArc}.3.${arc}`, value: der.integer(value) })),
    identity,
  ];
}
