import type { Cmw } from '../../cmw.ts';
import { parseToken } from '../token/parse.ts';
import type { ParsedToken } from '../token/stages.ts';
import { gcpConfidentialSpace } from './layout.ts';
import './errors.ts';

/** Reads a token and the key sets sent along. Says nothing about who made any of it. Throws what `parseToken` throws. */
export function parse(evidence: Cmw, endorsements: readonly Cmw[] = []): ParsedToken {
  return parseToken(evidence, endorsements, gcpConfidentialSpace);
}
