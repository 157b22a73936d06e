import { anyOf, type Checklist } from '../../checks.ts';
import { isoOf } from '../../time.ts';
import type { ParsedCollateral } from './collateral.ts';
import type { DcapFlavour } from './flavour.ts';
import type { PckFacts } from './pck.ts';

/** The second is outdated: whether it will do is asked apart. */
const TCB_INFO_VERSIONS: readonly number[] = [3, 2];
const QE_IDENTITY_VERSION = 2;
/** The one way of comparing TCB levels that version 3 defines. */
const TCB_TYPE = 0;

/** TCB info and QE identity must be for this TEE and this platform, of a version that is understood, and current. */
export function checkDocuments(
  { tcbInfo, qeIdentity }: ParsedCollateral,
  { flavour, pck, now }: { readonly flavour: DcapFlavour; readonly pck: PckFacts; readonly now: Date },
  checks: Checklist,
): void {
  const info = tcbInfo.content;
  const identity = qeIdentity.content;
  checks.require(
    'DCAP_TCB_INFO_KIND',
    info.id === flavour.tcbInfoId && TCB_INFO_VERSIONS.includes(info.version) && info.tcbType === TCB_TYPE,
    {
      expected: `${flavour.tcbInfoId}, version ${anyOf(TCB_INFO_VERSIONS)}, type ${TCB_TYPE}`,
      actual: `${info.id.slice(0, 16)}, version ${info.version}, type ${info.tcbType}`,
    },
  );
  const [current] = TCB_INFO_VERSIONS;
  checks.requireUnlessWaived('DCAP_TCB_INFO_OUTDATED', info.version === current, {
    expected: `version ${current}`,
    actual: `version ${info.version}`,
  });
  checks.require(
    'DCAP_QE_IDENTITY_KIND',
    identity.id === flavour.qeIdentityId && identity.version === QE_IDENTITY_VERSION,
    {
      expected: `${flavour.qeIdentityId}, version ${QE_IDENTITY_VERSION}`,
      actual: `${identity.id.slice(0, 16)}, version ${identity.version}`,
    },
  );
  checkWindow('DCAP_TCB_INFO_WINDOW', info, now, checks);
  checkWindow('DCAP_QE_IDENTITY_WINDOW', identity, now, checks);
  checks.require('DCAP_FMSPC_MISMATCH', info.fmspc === pck.fmspc, { expected: pck.fmspc, actual: info.fmspc });
  checks.require('DCAP_PCE_ID_MISMATCH', info.pceId === pck.pceId, { expected: pck.pceId, actual: info.pceId });
}

function checkWindow(
  code: 'DCAP_TCB_INFO_WINDOW' | 'DCAP_QE_IDENTITY_WINDOW',
  { issueDate, nextUpdate }: { readonly issueDate: Date; readonly nextUpdate: Date },
  now: Date,
  checks: Checklist,
): void {
  checks.require(code, issueDate <= now && now <= nextUpdate, {
    expected: `from ${isoOf(issueDate)} to ${isoOf(nextUpdate)}`,
    actual: isoOf(now),
  });
}
