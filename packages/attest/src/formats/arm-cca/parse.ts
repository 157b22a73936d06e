import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { readArmMessage } from '../arm/message.ts';
import { readCollection } from './collection.ts';
import { decodeCcaEvidence } from './evidence.ts';
import { ccaMessageCodes, MAX_CCA_TOKEN_BYTES } from './layout.ts';
import { readPlatform } from './platform.ts';
import { readRealm } from './realm.ts';
import { ParsedToken } from './stages.ts';
import './errors.ts';

/**
 * Reads an Arm CCA attestation token (RMM specification, A7.2; draft-ffm-rats-cca-token): a collection of a platform token and
 * a realm token, in the profiles of `armCcaProfiles`. Says nothing about whether any of it is genuine. Throws the CCA_ code
 * of the first thing that is wrong, errors of the envelopes (ATTEST_..., CMW_..., CODEC_..., COSE_...).
 */
export function parse(evidence: Cmw): ParsedToken {
  const bytes = decodeCcaEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  checks.require('CCA_TOKEN_SIZE', bytes.length > 0 && bytes.length <= MAX_CCA_TOKEN_BYTES, {
    expected: `1 to ${MAX_CCA_TOKEN_BYTES} bytes`,
    actual: `${bytes.length}`,
  });
  const tokens = readCollection(bytes, checks);
  const messages = {
    platform: readArmMessage(tokens.platform, ccaMessageCodes, checks, 'a platform token'),
    realm: readArmMessage(tokens.realm, ccaMessageCodes, checks, 'a realm token'),
  };
  const platform = readPlatform(messages.platform.claims, checks);
  const realm = readRealm(messages.realm.claims, platform.profile, checks);
  return new ParsedToken({ platform, realm, checks: checks.results().checks }, messages);
}
