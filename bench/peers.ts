// Published verifiers as functions over the same recorded evidence. They are installed beside this file, from a lockfile of
// their own, by the first benchmark that needs them, and are a dependency of nothing else.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { toBase64, toHex } from '@fastness/codec';
import type { Recorded } from './recorded.ts';

export interface Peer {
  readonly name: string;
  /** One verification that throws unless the evidence is accepted; undefined: not a kind of evidence that the peer reads. */
  readonly judge: (recorded: Recorded) => (() => unknown) | undefined;
}

const folder = fileURLToPath(new URL('peers/', import.meta.url));
const require = createRequire(new URL('peers/package.json', import.meta.url));

// The peers have types of their own making or none; what is used of them is written down here.
interface QvlCollateral {
  readonly [member: string]: string;
}
type QvlVerify = (quote: Uint8Array, collateral: QvlCollateral, seconds: number) => unknown;

export async function loadPeers(): Promise<readonly Peer[]> {
  if (!existsSync(`${folder}node_modules`)) {
    process.stderr.write('Installing the verifiers to compare with...\n');
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
  }
  return [await dcapQvl(), await dcapQvlWeb(), await tinfoil(), await sequence(), await evervault(), await lit()];
}

const wasm = (path: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(`${folder}node_modules/${path}`));
const load = async <T>(name: string): Promise<T> => (await import(require.resolve(name))) as T;
const secondsOf = ({ options }: Recorded): number => Math.floor(options.now.getTime() / 1000);

async function dcapQvl(): Promise<Peer> {
  const { default: module } = await load<{ default: { verify: QvlVerify } }>('@phala/dcap-qvl');
  return {
    name: '@phala/dcap-qvl',
    judge: (recorded) => {
      const collateral = qvlCollateral(recorded);
      return collateral && (() => module.verify(Buffer.from(recorded.bytes), collateral, secondsOf(recorded)));
    },
  };
}

async function dcapQvlWeb(): Promise<Peer> {
  const module = await load<{
    initSync: (wasm: { module: Uint8Array<ArrayBuffer> }) => unknown;
    js_verify: (quote: Uint8Array, collateral: QvlCollateral, seconds: bigint) => unknown;
  }>('@phala/dcap-qvl-web');
  module.initSync({ module: wasm('@phala/dcap-qvl-web/dcap-qvl-web_bg.wasm') });
  return {
    name: '@phala/dcap-qvl-web',
    judge: (recorded) => {
      const collateral = qvlCollateral(recorded);
      return collateral && (() => module.js_verify(recorded.bytes, collateral, BigInt(secondsOf(recorded))));
    },
  };
}

/** Collateral as dcap-qvl takes it: what Intel signed and the signatures apart, lists in hex. */
function qvlCollateral({ collateral }: Recorded): QvlCollateral | undefined {
  if (collateral === undefined) return undefined;
  const info = /^\{"tcbInfo":(?<body>.*),"signature":"(?<signature>[0-9a-f]+)"\}$/s.exec(collateral.tcbInfo)?.groups;
  const identity = /^\{"enclaveIdentity":(?<body>.*),"signature":"(?<signature>[0-9a-f]+)"\}$/s.exec(
    collateral.qeIdentity,
  )?.groups;
  return {
    pck_crl_issuer_chain: collateral.tcbInfoIssuerChain,
    root_ca_crl: toHex(collateral.rootCaCrl ?? new Uint8Array()),
    pck_crl: toHex(collateral.pckCrl ?? new Uint8Array()),
    tcb_info_issuer_chain: collateral.tcbInfoIssuerChain,
    tcb_info: info?.['body'] ?? '',
    tcb_info_signature: info?.['signature'] ?? '',
    qe_identity_issuer_chain: collateral.qeIdentityIssuerChain,
    qe_identity: identity?.['body'] ?? '',
    qe_identity_signature: identity?.['signature'] ?? '',
  };
}

/** Checks no revocation list. */
async function tinfoil(): Promise<Peer> {
  const module = await load<{ verifyAttestation: (document: object, vcek: string) => Promise<unknown> }>(
    '@tinfoilsh/verifier',
  );
  return {
    name: '@tinfoilsh/verifier',
    judge: ({ tee, bytes, certificates: [vcek] }) => {
      if (tee !== 'sev-snp' || vcek === undefined) return undefined;
      const body = toBase64(Uint8Array.from(gzipSync(bytes)));
      const document = { format: 'https://tinfoil.sh/predicate/sev-snp-guest/v2', body };
      return async () => module.verifyAttestation(document, toBase64(vcek));
    },
  };
}

/** Made for browsers. */
async function sequence(): Promise<Peer> {
  Object.assign(globalThis, { window: globalThis });
  const { SignedAttestation } = await load<{
    SignedAttestation: {
      fromDocument: (document: string) => {
        verifyRootOfTrust: (at: Date) => Promise<boolean>;
        rootCertFingerprint: () => Promise<string>;
        verifySignature: () => Promise<boolean>;
      };
    };
  }>('@0xsequence/tee-verifier');
  return {
    name: '@0xsequence/tee-verifier',
    judge: ({ tee, bytes, options }) => {
      if (tee !== 'aws-nitro') return undefined;
      const document = toBase64(bytes);
      return async () => {
        const attestation = SignedAttestation.fromDocument(document);
        if (!(await attestation.verifyRootOfTrust(options.now))) throw new Error('root of trust');
        if ((await attestation.rootCertFingerprint()).length !== 64) throw new Error('fingerprint');
        if (!(await attestation.verifySignature())) throw new Error('signature');
      };
    },
  };
}

/** Takes its time from the clock, so the clock is set back while it works. */
async function evervault(): Promise<Peer> {
  const module = await load<{
    initSync: (wasm: { module: Uint8Array<ArrayBuffer> }) => unknown;
    validateAttestationDocPcrs: (document: string, pcrs: readonly unknown[]) => boolean;
    PCRs: new (pcr0: string) => unknown;
  }>('@evervault/wasm-attestation-bindings');
  module.initSync({ module: wasm('@evervault/wasm-attestation-bindings/index_bg.wasm') });
  return {
    name: '@evervault/wasm-attestation-bindings',
    judge: ({ tee, bytes, options }) => {
      if (tee !== 'aws-nitro') return undefined;
      const document = toBase64(bytes);
      const pcr0 = Object.values(options.policy.nitro?.measurements ?? {})[0] ?? '';
      return () => {
        const { now } = Date;
        Date.now = () => options.now.getTime();
        try {
          if (!module.validateAttestationDocPcrs(document, [new module.PCRs(pcr0)])) throw new Error('refused');
        } finally {
          Date.now = now;
        }
      };
    },
  };
}

/** Checks the report's signature under the certificate it is given, and no chain above it. */
async function lit(): Promise<Peer> {
  const { default: module } = await load<{
    default: {
      initWasmSevSnpUtilsSdk: () => Promise<unknown>;
      verify_attestation_report: (report: string, vcek: Uint8Array) => Promise<unknown>;
    };
  }>('@lit-protocol/sev-snp-utils-sdk');
  await module.initWasmSevSnpUtilsSdk();
  return {
    name: '@lit-protocol/sev-snp-utils-sdk',
    judge: ({ tee, bytes, certificates: [vcek] }) => {
      if (tee !== 'sev-snp' || vcek === undefined) return undefined;
      const report = toBase64(bytes);
      return async () => module.verify_attestation_report(report, vcek);
    },
  };
}
