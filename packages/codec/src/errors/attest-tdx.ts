import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh quote; if it persists, the platform or the path to it is damaged or forged.';
const refetch = "Fetch the collateral of this platform from Intel's PCS or your PCCS again.";

/** Codes of Intel TDX quotes, in the order in which the checks run. */
export const tdxErrors = Object.freeze({
  TDX_MODULE_UNKNOWN: {
    class: 'invalid',
    message: 'The TCB info does not know the TDX module that measured the TD.',
    next: refetch,
  },
  TDX_MODULE_SIGNER: {
    class: 'invalid',
    message: 'The TDX module has another signer than the TCB info says.',
    next: recollect,
  },
  TDX_MODULE_ATTRIBUTES: {
    class: 'invalid',
    message: 'The TDX module has other attributes than the TCB info says.',
    next: recollect,
  },
  TDX_MODULE_TCB_UNKNOWN: {
    class: 'denied',
    message: 'The TDX module is older than every level of its identity.',
    next: 'Update the TDX module.',
  },
  TDX_REPORT_DATA_MISMATCH: {
    class: 'denied',
    message: 'The report data is not what this session expects.',
    next: 'Ask for fresh evidence over your own nonce; the quote belongs to another session, key or release.',
  },
  TDX_MEASUREMENT_NOT_ALLOWED: {
    class: 'denied',
    message: 'MRTD is not one that the policy lists.',
    next: 'Launch the released image, or release this one.',
  },
  TDX_DEBUG_ALLOWED: {
    class: 'denied',
    message: 'The TD can be debugged by the host, which reads and writes its memory.',
    next: 'Launch the TD without the DEBUG attribute.',
  },
  TDX_ATTRIBUTES_RESERVED: {
    class: 'denied',
    message: 'The TD sets attributes that this verifier does not know.',
    next: 'Update Fastness if the module is newer; otherwise launch the TD without these bits.',
  },
  TDX_XFAM_INVALID: {
    class: 'invalid',
    message: 'XFAM lacks bits that are always set or has bits that no TD can have.',
    next: recollect,
  },
  TDX_SEPT_VE_ENABLED: {
    class: 'denied',
    message: 'The TD runs without SEPT_VE_DISABLE, so a host can inject faults at pages that it chooses.',
    next: "Launch the TD with SEPT_VE_DISABLE, or set septVeDisable to 'any' in the policy.",
  },
  TDX_MIGRATABLE: {
    class: 'denied',
    message: 'The TD may migrate, and neither policy nor quote says under which service TD.',
    next: 'Launch the TD without the MIGRATABLE attribute, or list its service TD.',
  },
  TDX_SERVICE_TD_NOT_ALLOWED: {
    class: 'denied',
    message: 'A service TD that the policy does not list is bound to the TD.',
    next: 'Launch the TD without it, or list its MRSERVICETD.',
  },
  TDX_RTMR_NOT_ALLOWED: {
    class: 'denied',
    message: 'A run-time register does not have a value that the policy lists.',
    next: 'Boot the released image, or release this one.',
  },
  TDX_CONFIG_ID_NOT_ALLOWED: {
    class: 'denied',
    message: 'MRCONFIGID is not one that the policy lists.',
    next: 'Launch the TD with an allowed configuration.',
  },
  TDX_OWNER_NOT_ALLOWED: {
    class: 'denied',
    message: 'MROWNER is not one that the policy lists.',
    next: 'Launch the TD for an allowed owner.',
  },
} as const satisfies Record<string, ErrorFacts>);
