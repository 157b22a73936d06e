import type { ErrorFacts } from './class.ts';

const update = 'Install the driver and firmware that NVIDIA publishes, reset the device and ask again.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of appraising an authentic NVIDIA report, in the order in which the checks run. */
export const nvidiaAppraisalErrors = Object.freeze({
  NVIDIA_NONCE_MISMATCH: denied(
    'The report answers another request: its nonce is not the expected one.',
    'Ask for a report made for this session.',
  ),
  NVIDIA_DEVICE_INSECURE: denied(
    'The leaf marks the device as in debug, in recovery or not secure.',
    'Do not use this device; only NVIDIA makes such parts, for itself.',
  ),
  NVIDIA_ARCHITECTURE_NOT_ALLOWED: denied(
    'The policy does not allow this architecture.',
    'Use an allowed device, or add the architecture to the policy.',
  ),
  NVIDIA_DEVICE_NOT_ALLOWED: denied(
    'The device is not on the list of allowed devices.',
    'Add it to devices.allow of the policy, or use a listed one.',
  ),
  NVIDIA_DEVICE_DENIED: denied('The device is on the list of denied devices.', 'Use another device.'),
  NVIDIA_MODE_CONTRADICTORY: invalid(
    'The report states two modes that exclude each other.',
    'Do not trust this device until NVIDIA explains it.',
  ),
  NVIDIA_MODE_NOT_ALLOWED: denied(
    'The policy does not allow the mode that the GPU runs in.',
    'Switch the mode on the host, or add it to modes of the policy.',
  ),
  NVIDIA_SETTINGS_ABSENT: denied(
    'The evidence does not say whether confidential computing is on and developer tools are off.',
    'Collect the settings of the driver as well, or waive NVIDIA_SETTINGS_ABSENT by name.',
  ),
  NVIDIA_CC_OFF: denied(
    'Confidential computing is off, so the host reads what passes between the guest and the GPU.',
    'Switch confidential computing on for this GPU on the host.',
  ),
  NVIDIA_DEVTOOLS: denied(
    'Developer tools are on, so the GPU can be inspected.',
    'Switch them off on the host; for development only, waive NVIDIA_DEVTOOLS by name.',
  ),
  NVIDIA_DRIVER_NOT_ALLOWED: denied(
    'The driver is older than the policy allows, or denied by it.',
    'Install a newer driver.',
  ),
  NVIDIA_VBIOS_NOT_ALLOWED: denied('The policy does not allow this VBIOS or switch firmware.', 'Update the firmware.'),
  NVIDIA_INDEX_CONFLICT: denied(
    'Driver and firmware documents both claim to know one measurement.',
    'Do not use these documents together; report it to NVIDIA.',
  ),
  NVIDIA_MEASUREMENT_MISSING: denied('The report lacks a measurement that a reference document asks for.', update),
  NVIDIA_MEASUREMENT_MISMATCH: denied('A measurement is not one that the reference documents list.', update),
  NVIDIA_MEASUREMENT_UNCOVERED: denied(
    'The device measured something that no reference document knows.',
    'Fetch current documents, or waive NVIDIA_MEASUREMENT_UNCOVERED by name: nobody then vouches for that part.',
  ),
  NVIDIA_MEASUREMENT_NOT_ALLOWED: denied(
    'The measurements together are not a set that the policy lists.',
    'Compare claims.measurement with measurements of the policy.',
  ),
  NVIDIA_DEVICE_REPEATED: denied(
    'One device answered for two.',
    'Ask every device for a report of its own; a host that repeats one hides that others are missing.',
  ),
} as const satisfies Record<string, ErrorFacts>);
