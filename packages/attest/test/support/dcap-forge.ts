import { toHex } from '@fastness/codec';
import {
  enclaveBody,
  forgeCollateral,
  forgeIntelChain,
  forgeQuote,
  tdBody,
  type ForgeCollateralOptions,
  type ForgedCollateral,
  type ForgedEnclaveFields,
  type ForgedIntelChain,
  type ForgedTdFields,
  type ForgeIntelChainOptions,
  type ForgeQuoteOptions,
} from '@fastness/testkit';
import { encodeDcapCollateral, encodeTdxEvidence, type DcapCollateral } from '../../src/formats/tdx/index.ts';
import {
  CMW_EVIDENCE,
  parseAttestationPolicy,
  SGX_QUOTE_TYPE,
  TDX_QUOTE_TYPE,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';

/** The time at which forged evidence is judged. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (days: number): Date => new Date(now.getTime() + days * 24 * 3600 * 1000);
export const reportData = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
const measurement = Uint8Array.from({ length: 48 }, (_, index) => 0xf0 ^ index);
const mrSigner = new Uint8Array(32).fill(0x51);

/** Evidence that is genuine in every respect but the ones named here. */
export interface DcapScenario {
  /** Default TDX version 4. */
  readonly kind?: 'sgx' | 'td-1.0' | 'td-1.5';
  readonly version?: 3 | 4 | 5;
  readonly chain?: Partial<ForgeIntelChainOptions>;
  readonly td?: ForgedTdFields;
  readonly enclave?: ForgedEnclaveFields;
  readonly quote?: Partial<ForgeQuoteOptions>;
  /** The same, where it needs the chain. */
  readonly quoteOf?: (chain: ForgedIntelChain) => Partial<ForgeQuoteOptions>;
  readonly collateral?: Partial<ForgeCollateralOptions>;
  /** Edits what is sent; undefined sends none. */
  readonly sent?: (
    collateral: ForgedCollateral,
    chain: ForgedIntelChain,
  ) => DcapCollateral | undefined | Promise<DcapCollateral | undefined>;
  readonly editQuote?: (quote: Uint8Array) => Uint8Array;
  readonly type?: string;
  /** Of the boot, sent with the quote of a TD. */
  readonly eventLog?: Uint8Array;
  /** Members of the section that replace those of a policy the evidence meets. */
  readonly section?: object;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: TrustAnchors;
  readonly at?: Date;
}

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareDcap(
  scenario: DcapScenario = {},
): Promise<VerifyEvidenceOptions & { readonly chain: ForgedIntelChain; readonly collateral: ForgedCollateral }> {
  const { kind = 'td-1.0' } = scenario;
  const sgx = kind === 'sgx';
  const tee = sgx ? 'sgx' : 'tdx';
  const chain = await forgeIntelChain({ now, ...scenario.chain });
  const body = sgx
    ? enclaveBody({
        mrEnclave: measurement.slice(0, 32),
        mrSigner,
        isvProdId: 7,
        isvSvn: 3,
        reportData,
        ...scenario.enclave,
      })
    : tdBody({ mrTd: measurement, reportData, ...scenario.td }, kind);
  const version = scenario.version ?? (sgx ? 3 : kind === 'td-1.5' ? 5 : 4);
  const forged = await forgeQuote({ chain, version, body, ...scenario.quote, ...scenario.quoteOf?.(chain) });
  const quote = scenario.editQuote?.(forged) ?? forged;
  const collateral = await forgeCollateral({ chain, tee, now, ...scenario.collateral });
  const sent = scenario.sent === undefined ? collateral : await scenario.sent(collateral, chain);
  const { eventLog } = scenario;
  const evidence: Cmw =
    eventLog === undefined
      ? { type: scenario.type ?? (sgx ? SGX_QUOTE_TYPE : TDX_QUOTE_TYPE), value: quote, ind: CMW_EVIDENCE }
      : encodeTdxEvidence({ quote, eventLog });
  return {
    chain,
    collateral,
    evidence,
    endorsements: sent === undefined ? [] : [encodeDcapCollateral(sent)],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-evidence',
      [tee]: given({
        measurements: [toHex(sgx ? measurement.slice(0, 32) : measurement)],
        ...(sgx ? { signers: [{ mrSigner: toHex(mrSigner), isvProdId: 7, minimumIsvSvn: 3 }] } : { rtmrs: {} }),
        tcbStatuses: ['UpToDate'],
        minimumTcbEvaluationDataNumber: 20,
        ...scenario.section,
      }),
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: scenario.anchors ?? {
      intel: [
        {
          name: 'Intel SGX Root CA',
          spkiSha256: chain.rootSpkiSha256,
          certificateSha256: '00'.repeat(32),
          source: 'a test',
        },
      ],
    },
    expectedReportData: reportData,
    now: scenario.at ?? now,
  };
}

export async function judgeDcap(scenario: DcapScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await prepareDcap(scenario));
}

/** Members that are undefined are left out: policies know no undefined. */
function given(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
