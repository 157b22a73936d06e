import { plainBytes, toHex } from '@fastness/codec';
import { verifyRawSignature, type Certificate } from '@fastness/codec/x509';
import { Checklist } from '../../checks.ts';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { nameOf, outcomeOf, requireSignatures } from '../../signatures.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import {
  chainSignatures,
  checkChainShape,
  deviceCodes,
  isValidAt,
  periodOf,
  selectChain,
  type Chain,
} from './chain.ts';
import { checkDevice } from './device.ts';
import { checkRevocation, type IssuedCertificate } from './ocsp.ts';
import { once } from './once.ts';
import { checkRim } from './rim/authenticate.ts';
import { selectRims } from './rim/select.ts';
import { AuthenticReport, ParsedReport, type SignedReport } from './stages.ts';

const ECDSA_SHA384 = Object.freeze({ kind: 'ecdsa', hash: 'SHA-384' } as const);

/**
 * Establishes that NVIDIA vouches for the report and for the documents that it is compared with: the device chain ends in the
 * pinned root and signed the report, the firmware that the leaf was made for is the one that the report names, the documents
 * of its driver and firmware are NVIDIA's, and none of the certificates is revoked.
 *
 * The leaf is made on the device and has no revocation status; the chip's certificate above it has. `ocspNonce`: the nonce that
 * every OCSP response must carry; absent, their dates decide.
 *
 * Throws the NVIDIA_ code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID, ATTEST_TEE_NOT_ALLOWED.
 */
export async function authenticate(
  parsed: ParsedReport,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly anchors: TrustAnchors;
    readonly now: Date;
    readonly ocspNonce?: Uint8Array;
  },
): Promise<AuthenticReport> {
  const signed = ParsedReport.signedPartOf(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const { anchors, ocspNonce } = options;
  const now = requireTime(options.now);
  const means = once(options);
  const { kind, report, settings } = parsed;
  const { ocspMaxAgeSeconds } = sectionOf(policy, kind.section);
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const chain = await selectChain(parsed.certificates, anchors.nvidiaDevices ?? [], deviceCodes, checks);
  checkChainShape(chain, deviceCodes, checks);
  await requireReportSigned(chain, signed, means, checks);
  for (const certificate of chain.certificates) {
    checks.require('NVIDIA_CERTIFICATE_VALIDITY', isValidAt(certificate, now), {
      expected: `${nameOf(certificate)} from ${periodOf(certificate)}`,
      actual: now.toISOString(),
    });
  }
  const device = checkDevice(chain, parsed.chip, { kind, report }, checks);

  const rims = selectRims(parsed.rims, { kind, report, chip: device.chip }, checks);
  for (const { document } of rims) {
    await checkRim(document, { ...means, anchors: anchors.nvidiaRims ?? [], now }, checks);
  }
  const revocable = [
    ...issuedIn(chain.certificates).slice(1),
    ...rims.flatMap(({ document }) => issuedIn(document.signed.certificates)),
  ];
  const ocsp = {
    ...means,
    now,
    ...(ocspNonce === undefined ? {} : { nonce: ocspNonce.slice() }),
    ...(ocspMaxAgeSeconds === undefined ? {} : { maxAgeSeconds: ocspMaxAgeSeconds }),
  };
  await checkRevocation(distinct(revocable), parsed.ocspResponses, ocsp, checks);

  const digest = await globalThis.crypto.subtle.digest('SHA-384', plainBytes(report.record));
  const measurement = toHex(new Uint8Array(digest));
  return new AuthenticReport({
    kind,
    report,
    device,
    settings,
    rims,
    measurement,
    at: now.getTime(),
    ...checks.results(),
  });
}

async function requireReportSigned(
  chain: Chain,
  { message, signature }: SignedReport,
  means: VerificationMeans,
  checks: Checklist,
): Promise<void> {
  const { leaf } = chain;
  const [signatures, own] = await Promise.all([
    chainSignatures(chain, deviceCodes, means),
    outcomeOf('NVIDIA_REPORT_SIGNATURE', `${nameOf(leaf)} signed the report`, async () =>
      verifyRawSignature({ holder: leaf, algorithm: ECDSA_SHA384, signature, message }, evidenceVerifier(means)),
    ),
  ]);
  requireSignatures([...signatures, own], checks);
}

/** Every certificate but the root, with its issuer. */
function issuedIn(certificates: readonly Certificate[]): readonly IssuedCertificate[] {
  return certificates.flatMap((certificate, index): IssuedCertificate[] => {
    const issuer = certificates[index + 1];
    return issuer === undefined ? [] : [{ certificate, issuer }];
  });
}

/** The documents of one device share authorities. */
function distinct(certificates: readonly IssuedCertificate[]): readonly IssuedCertificate[] {
  const byContent = new Map(certificates.map((issued) => [toHex(issued.certificate.raw), issued]));
  return [...byContent.values()];
}
