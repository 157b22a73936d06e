import { encodePem } from '@fastness/codec/bytes';
import { parseCrl } from '@fastness/codec/x509';
import { amdNames, forgeAmdChain, issueAmdCrl } from '../snp/chain.ts';
import { generateKeys } from '../x509/keys.ts';
import { createStateFile, readStateFile, replaceStateFile } from './state-file.ts';
import {
  SIMULATED_ORGANIZATION,
  SIMULATED_PRODUCT,
  stateFromText,
  stateToText,
  type SimulatedState,
} from './state-text.ts';

export interface OpenStateOptions {
  readonly stateDir: string;
  readonly now: Date;
  /** RSA of the root and the intermediate. Default 4096, as AMD has; making it takes seconds, once. */
  readonly rsaBits?: 2048 | 4096;
}

const DAY = 24 * 3600 * 1000;
/** The list holds for 30 days; it is issued anew when less than this is left. */
const RENEW_BEFORE = 20 * DAY;

/**
 * Opens the state of a simulated TEE, making it on first use: root, intermediate and chip key, all forged, and the chip
 * id, which is random per folder. The file holds private keys and is readable by its owner only.
 */
export async function openState(options: OpenStateOptions): Promise<SimulatedState> {
  const { stateDir, now } = options;
  const stored = await readStateFile(stateDir);
  if (stored !== undefined) return stateFromText(stored, now);
  const rsa = options.rsaBits === 2048 ? 'rsa-2048' : 'rsa-4096';
  const [ark, intermediate] = await Promise.all([generateKeys(rsa), generateKeys(rsa)]);
  const chain = await forgeAmdChain({
    product: SIMULATED_PRODUCT,
    kind: 'vcek',
    now,
    organization: SIMULATED_ORGANIZATION,
    keys: { ark, intermediate },
  });
  const state = { chain, crlNumber: 1 };
  if (await createStateFile(stateDir, stateToText(state))) return state;
  return openState(options);
}

/** The same state with a revocation list that is current at `now`; stores it when it had to be issued. */
export async function withCurrentCrl(stateDir: string, state: SimulatedState, now: Date): Promise<SimulatedState> {
  const { thisUpdate, nextUpdate } = parseCrl(state.chain.crl);
  const left = (nextUpdate?.getTime() ?? 0) - now.getTime();
  if (left > RENEW_BEFORE && thisUpdate <= now) return state;
  const crlNumber = state.crlNumber + 1;
  const issuer = { name: amdNames(SIMULATED_PRODUCT, 'vcek', SIMULATED_ORGANIZATION).ark, keys: state.chain.ark.keys };
  const crl = await issueAmdCrl(issuer, now, { number: crlNumber });
  const renewed = { chain: { ...state.chain, crl }, crlNumber };
  await replaceStateFile(stateDir, stateToText(renewed));
  return renewed;
}

/** What a policy needs to name this simulated TEE as trusted. */
export interface SimulatedTrust {
  /** SHA-256 of the root's SubjectPublicKeyInfo, hex: `simulated.arkSpkiSha256` of an attestation policy. */
  readonly arkSpkiSha256: string;
  /** The root certificate. */
  readonly arkPem: string;
}

/** The root of the simulated TEE in this folder; makes the state when there is none yet. */
export async function simulatedTrust(
  stateDir: string,
  options: Partial<Omit<OpenStateOptions, 'stateDir'>> = {},
): Promise<SimulatedTrust> {
  const { chain } = await openState({ now: new Date(), ...options, stateDir });
  return { arkSpkiSha256: chain.arkSpkiSha256, arkPem: encodePem(chain.ark.certificate, 'CERTIFICATE') };
}
