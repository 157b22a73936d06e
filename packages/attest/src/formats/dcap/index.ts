/** What TDX and SGX share: collateral and what a PCK certificate says, for whoever fetches or stores it. */
import './errors.ts';
export {
  encodeDcapCollateral,
  parseDcapCollateral,
  readSignedDocument,
  type DcapCollateral,
  type ParsedCollateral,
  type SignedDocument,
} from './collateral.ts';
export { qeIdentitySchema, tcbInfoSchema, type QeIdentity, type TcbInfo } from './collateral-schema.ts';
export type { PckReference } from './certification.ts';
export { readPckFacts, type PckFacts } from './pck.ts';
