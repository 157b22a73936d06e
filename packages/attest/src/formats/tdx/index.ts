/** Intel TDX: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { encodeDcapCollateral, type DcapCollateral } from '../dcap/collateral.ts';
export type { PckFacts } from '../dcap/pck.ts';
export type { AuthenticQuote, ParsedQuote } from '../dcap/stages.ts';
export type { TcbAssessment } from '../dcap/tcb.ts';
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { tdAttributes, type TdBody } from './body.ts';
export { decodeTdxEvidence, encodeTdxEvidence } from './evidence.ts';
export { parse } from './parse.ts';
