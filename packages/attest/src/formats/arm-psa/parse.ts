import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { readArmMessage, requireTokenSize } from '../arm/message.ts';
import { decodePsaEvidence } from './evidence.ts';
import { psaMessageCodes } from './layout.ts';
import { ParsedToken } from './stages.ts';
import { readToken } from './token.ts';
import './errors.ts';

/**
 * Reads a PSA attestation token (RFC 9783) of one of the three profiles in `armPsaProfiles`: a COSE_Sign1 message that fills
 * its envelope. Tokens with a shared key (COSE_Mac0) are refused: whoever can verify them can make them. Says nothing about
 * whether any of it is genuine. Throws the PSA_ code of the first thing that is wrong, errors of the envelopes (ATTEST_...,
 * CMW_..., CODEC_..., COSE_...).
 */
export function parse(evidence: Cmw): ParsedToken {
  const bytes = decodePsaEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  requireTokenSize(bytes, 'PSA_TOKEN_SIZE', checks);
  const message = readArmMessage(bytes, psaMessageCodes, checks, 'a token');
  const token = readToken(message.claims, checks);
  return new ParsedToken({ token, checks: checks.results().checks }, message);
}
