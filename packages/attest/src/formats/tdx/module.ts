import type { Checklist } from '../../checks.ts';
import type { ModuleAssessment } from '../dcap/authenticate.ts';
import type { TcbInfo } from '../dcap/collateral-schema.ts';
import { equalUnderMask } from '../dcap/tcb.ts';
import type { TdBody } from './body.ts';

/**
 * Which TDX module measured the TD, and how good it is. The second component of the TEE TCB SVN is the module's major
 * version. From version 1 on a module has an identity of its own in the TCB info, by which its ISVSVN (the first component)
 * is judged, and the two components do not count at platform level. Version 0 is described by `tdxModule` alone.
 */
export function assessModule(body: TdBody, info: TcbInfo, checks: Checklist): ModuleAssessment {
  const [isvSvn = 0, version = 0] = body.teeTcbSvn;
  const id = version === 0 ? 'tdxModule' : `TDX_${version.toString(16).toUpperCase().padStart(2, '0')}`;
  const named = info.tdxModuleIdentities.find((identity) => identity.id.toUpperCase() === id);
  const identity = version === 0 ? info.tdxModule : named;
  checks.require('TDX_MODULE_UNKNOWN', identity !== undefined, {
    expected: info.tdxModuleIdentities.map((each) => each.id).join(' or '),
    actual: id,
  });
  checks.require('TDX_MODULE_SIGNER', body.mrSignerSeam === identity.mrsigner, {
    expected: identity.mrsigner,
    actual: body.mrSignerSeam,
  });
  const { attributes, attributesMask } = identity;
  checks.require('TDX_MODULE_ATTRIBUTES', equalUnderMask(body.seamAttributes, attributes, attributesMask), {
    expected: `${attributes} under ${attributesMask}`,
    actual: body.seamAttributes,
  });
  if (version === 0 || named === undefined) {
    checks.notApplicable('TDX_MODULE_TCB_UNKNOWN', 'a module of version 0 is part of the platform level');
    return { components: body.teeTcbSvn, from: 0 };
  }
  const level = named.tcbLevels.find(({ tcb }) => tcb.isvsvn <= isvSvn);
  checks.require('TDX_MODULE_TCB_UNKNOWN', level !== undefined, {
    expected: `ISVSVN ${named.tcbLevels.map(({ tcb }) => tcb.isvsvn).join(' or ')} or higher`,
    actual: `${isvSvn}`,
  });
  const { tcbStatus, tcbDate, advisoryIDs } = level;
  return {
    components: body.teeTcbSvn,
    from: 2,
    module: { status: tcbStatus, date: tcbDate, advisories: advisoryIDs },
  };
}
