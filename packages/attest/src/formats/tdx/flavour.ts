import { TDX_QUOTE_TYPE } from '../../media-types.ts';
import type { DcapFlavour } from '../dcap/flavour.ts';

/** Quotes version 4 (TD 1.0) and 5 (TD 1.0 and 1.5). */
export const tdxFlavour: DcapFlavour & { readonly evidenceType: string } = Object.freeze({
  tee: 'tdx',
  evidenceType: TDX_QUOTE_TYPE,
  teeType: 0x81,
  versions: Object.freeze([4, 5]),
  bodies: Object.freeze(['td-1.0', 'td-1.5'] as const),
  tcbInfoId: 'TDX',
  qeIdentityId: 'TD_QE',
});
