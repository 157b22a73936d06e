import { toHex, utf8Encode } from '@fastness/codec/bytes';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedIntelChain } from './chain.ts';
import { forgedQe } from './quote.ts';

const DAY = 24 * 3600 * 1000;

export interface ForgeCollateralOptions {
  readonly chain: ForgedIntelChain;
  readonly tee: 'sgx' | 'tdx';
  readonly now: Date;
  /** Members that replace those of the forged documents; what they say is then signed. */
  readonly tcbInfo?: object;
  readonly qeIdentity?: object;
  readonly signWith?: { readonly tcbInfo?: ForgedKeys; readonly qeIdentity?: ForgedKeys };
}

/** Answers of Intel's PCS, with signatures of the forged TCB signing key, and the lists of the chain. */
export interface ForgedCollateral {
  readonly tcbInfo: string;
  readonly tcbInfoIssuerChain: string;
  readonly qeIdentity: string;
  readonly qeIdentityIssuerChain: string;
  readonly rootCaCrl: Uint8Array;
  readonly pckCrl: Uint8Array;
}

const components = (...svns: readonly number[]) =>
  Array.from({ length: 16 }, (_, index) => ({ svn: svns[index] ?? 0 }));

/** One TCB level as forged TCB info has it. */
export function forgedLevel(
  tcbStatus: string,
  levels: { readonly sgx?: readonly number[]; readonly tdx?: readonly number[]; readonly pceSvn?: number } = {},
  advisoryIDs: readonly string[] = [],
): object {
  return {
    tcb: {
      sgxtcbcomponents: components(...(levels.sgx ?? [4, 4, 2, 2, 3, 1, 0, 5])),
      pcesvn: levels.pceSvn ?? 13,
      tdxtcbcomponents: components(...(levels.tdx ?? [5, 0, 2])),
    },
    tcbDate: '2026-01-14T00:00:00Z',
    tcbStatus,
    ...(advisoryIDs.length === 0 ? {} : { advisoryIDs }),
  };
}

/** The identity of a forged TDX module. */
export function forgedModule(
  id: string,
  levels: readonly [isvSvn: number, status: string][] = [[4, 'UpToDate']],
): object {
  return {
    id,
    mrsigner: '00'.repeat(48),
    attributes: '00'.repeat(8),
    attributesMask: 'FF'.repeat(8),
    tcbLevels: levels.map(([isvsvn, tcbStatus]) => ({ tcb: { isvsvn }, tcbDate: '2026-01-14T00:00:00Z', tcbStatus })),
  };
}

/** Forges TCB info, QE identity and lists for the platform of a chain. */
export async function forgeCollateral(options: ForgeCollateralOptions): Promise<ForgedCollateral> {
  const { chain, tee, now } = options;
  const at = (days: number) => new Date(now.getTime() + days * DAY).toISOString().replace('.000Z', 'Z');
  const dates = { issueDate: at(-1), nextUpdate: at(29), tcbEvaluationDataNumber: 20 };
  const { fmspc, pceId } = chain.platform;
  const tcbInfo = {
    id: tee.toUpperCase(),
    version: 3,
    ...dates,
    fmspc: fmspc.toUpperCase(),
    pceId,
    tcbType: 0,
    ...(tee === 'sgx'
      ? {}
      : {
          tdxModule: { mrsigner: '00'.repeat(48), attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) },
          tdxModuleIdentities: [forgedModule('TDX_01')],
        }),
    tcbLevels: [forgedLevel('UpToDate'), forgedLevel('OutOfDate', { pceSvn: 5 }, ['INTEL-SA-00001'])],
    ...options.tcbInfo,
  };
  const qe = forgedQe[tee];
  const qeIdentity = {
    id: tee === 'sgx' ? 'QE' : 'TD_QE',
    version: 2,
    ...dates,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(qe.mrSigner).toUpperCase(),
    isvprodid: qe.isvProdId,
    tcbLevels: [{ tcb: { isvsvn: qe.isvSvn }, tcbDate: '2026-01-14T00:00:00Z', tcbStatus: 'UpToDate' }],
    ...options.qeIdentity,
  };
  const { signer } = chain.keys;
  return {
    tcbInfo: await signDocument('tcbInfo', tcbInfo, options.signWith?.tcbInfo ?? signer),
    tcbInfoIssuerChain: chain.signerChain,
    qeIdentity: await signDocument('enclaveIdentity', qeIdentity, options.signWith?.qeIdentity ?? signer),
    qeIdentityIssuerChain: chain.signerChain,
    rootCaCrl: chain.rootCrl,
    pckCrl: chain.pckCrl,
  };
}

async function signDocument(member: string, content: object, keys: ForgedKeys): Promise<string> {
  const text = JSON.stringify(content);
  const signature = await signRaw(keys, { kind: 'ecdsa', hash: 'SHA-256' }, utf8Encode(text));
  return `{"${member}":${text},"signature":"${toHex(signature)}"}`;
}
