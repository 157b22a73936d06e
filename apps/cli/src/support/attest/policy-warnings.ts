import { policySectionOf, roleOf, type AttestationPolicy, type PolicySectionName, type Tee } from '@fastness/attest';
import { isObject } from './is-object.ts';

/** A choice that opens a policy wide, or makes it say nothing. */
export interface PolicyWarning {
  readonly path: string;
  readonly text: string;
}

type Rule = (policy: AttestationPolicy) => readonly (PolicyWarning | undefined)[];

const warning = (applies: boolean, path: string, text: string): PolicyWarning | undefined =>
  applies ? { path, text } : undefined;

/** Choices that are allowed and that whoever reads the policy should know of. None of them is an error. */
export function warningsOf(policy: AttestationPolicy): readonly PolicyWarning[] {
  const rules: readonly Rule[] = [general, devices, snp, intel, tdx, sgx, nitro, looseChoices, services, identities];
  return rules.flatMap((rule) => rule(policy)).filter((each) => each !== undefined);
}

const general: Rule = ({ simulated, waivers }) => [
  warning(
    simulated !== undefined,
    'simulated',
    'Evidence of the simulated TEE is accepted: no hardware protects anything. For development only.',
  ),
  ...waivers.map(({ check, reason }) => ({ path: 'waivers', text: `${check} is waived: ${reason}` })),
];

const tees: readonly Tee[] = Object.keys(policySectionOf).filter((name): name is Tee => name in policySectionOf);

const devices: Rule = (policy) => {
  const wanted = policy.devices ?? [];
  const processors = tees.filter((tee) => roleOf(tee).role === 'cpu' && policy[policySectionOf[tee]] !== undefined);
  return [
    ...wanted.map(({ kind, minimum }) => {
      const tee = tees.find((each) => each === kind);
      const section = tee === undefined ? undefined : policySectionOf[tee];
      return warning(
        minimum > 0 && (section === undefined || policy[section] === undefined),
        'devices',
        `${kind} is required and no section says what it must look like: everything is refused.`,
      );
    }),
    warning(
      wanted.length > 0 && processors.length === 0,
      'devices',
      'No processor has a section: everything is refused.',
    ),
    warning(
      policy.nvidiaGpu?.modes?.includes('ppcie') === true &&
        !wanted.some(({ kind, minimum }) => kind === 'nvidia-nvswitch' && minimum > 0),
      'nvidiaGpu.modes',
      'In protected PCIe NVLink is not encrypted; require the switches under `devices` as well.',
    ),
    warning(
      wanted.some(({ kind }) => kind === 'nvidia-gpu'),
      'devices',
      'On NVIDIA Hopper nothing in the evidence proves that the GPU sits in this machine.',
    ),
  ];
};

const snp: Rule = ({ snp: section }) => {
  if (section === undefined) return [];
  const { products = ['Milan', 'Genoa', 'Turin'], denyProducts = [], minimumTcb, signingKeys, vmpl } = section;
  const accepted = products.filter((name) => !denyProducts.includes(name));
  return [
    warning(
      accepted.includes('Milan'),
      'snp.products',
      'Milan is accepted: the seed of its keys has been extracted from chips (arXiv 2605.12990); deny it, or allow your own chips only.',
    ),
    ...accepted.map((name) =>
      warning(
        (name === 'Turin' && minimumTcb.Turin === undefined) ||
          (minimumTcb[name] !== undefined && Object.keys(minimumTcb[name]).length === 0),
        'snp.minimumTcb',
        `${name} has no floor: any old firmware is accepted.`,
      ),
    ),
    warning(
      signingKeys.includes('vlek'),
      'snp.signingKeys',
      'A VLEK hides the chip: the cloud provider answers for which machine it is.',
    ),
    warning(
      vmpl.some((level) => level > 0),
      'snp.vmpl',
      'Software at level 0 is above the attested one and can read it.',
    ),
    warning(
      section.requireAliasCheck !== true,
      'snp.requireAliasCheck',
      'Memory modules that lie about their size (BadRAM) are not ruled out.',
    ),
  ];
};

const intel: Rule = (policy) =>
  (['tdx', 'sgx'] as const).flatMap((name) => {
    const section = policy[name];
    if (section === undefined) return [];
    const stale = section.tcbStatuses.filter((status) => status.startsWith('OutOfDate'));
    return [
      warning(
        stale.length > 0,
        `${name}.tcbStatuses`,
        `${stale.join(' and ')} accepted: the platform misses fixes that Intel has published.`,
      ),
      warning(
        section.tcbStatuses.length > 1 && section.advisories === undefined,
        `${name}.advisories`,
        'Statuses other than UpToDate are accepted under any advisory; list those you have judged.',
      ),
      warning(
        section.minimumTcbEvaluationDataNumber === 0,
        `${name}.minimumTcbEvaluationDataNumber`,
        'No floor: a host can bring TCB info from before a fix, within its validity.',
      ),
    ];
  });

const tdx: Rule = ({ tdx: section }) => {
  if (section === undefined) return [];
  const { rtmrs, events = {} } = section;
  return [
    warning(
      ([1, 2] as const).some((index) => rtmrs[index] === undefined && events[index] === undefined),
      'tdx.rtmrs',
      'RTMR 1 and 2 are not both compared: MRTD covers the firmware alone, so any kernel or command line is accepted.',
    ),
    warning(section.septVeDisable === 'any', 'tdx.septVeDisable', 'A host can inject faults at pages of its choice.'),
  ];
};

const sgx: Rule = ({ sgx: section }) => [
  warning(
    section !== undefined && section.measurements === undefined,
    'sgx.measurements',
    'Any enclave of the signers is accepted, future and past ones above the floor included.',
  ),
];

const nitro: Rule = (policy) =>
  (['nitro', 'nitroTpm'] as const).map((name) => {
    const age = policy[name]?.maxAgeSeconds ?? 0;
    return warning(
      age > 3600,
      `${name}.maxAgeSeconds`,
      'A document of more than an hour passes; nothing revokes it within that time.',
    );
  });

/** Values that give up a protection, by section and field. */
const loose: readonly (readonly [section: PolicySectionName, field: string, value: unknown, text: string])[] = [
  ['gcpVtpm', 'projects', 'any', 'Instances of anybody are accepted: the registers do not tell yours from theirs.'],
  ['azureVtpm', 'secureBoot', 'any', 'VMs without Secure Boot are accepted.'],
  ['azureMaa', 'secureBoot', 'any', 'Guests without Secure Boot, or with debuggers, are accepted.'],
  ['azureMaa', 'nested', 'allow', "The claims may be about a nested guest, which Azure's paravisor vouches for."],
  ['intelTrustAuthority', 'septVeDisable', 'any', 'A host can inject faults at pages of its choice.'],
  [
    'gcpConfidentialSpace',
    'supportAttribute',
    'any',
    'Images without support are accepted, those for debugging among them.',
  ],
  [
    'gcpConfidentialSpace',
    'overrides',
    'allow',
    'The operator may replace command and environment of the image: the digest does not say what runs.',
  ],
  ['nvidiaNras', 'warnings', 'allow', 'Tokens in which NVIDIA warns of the device are accepted.'],
  ['androidKey', 'origin', 'any', 'The key may have been made outside the secure hardware, and others may have it.'],
];

const looseChoices: Rule = (policy) =>
  loose.map(([name, field, value, text]) => {
    const section: unknown = { ...policy }[name];
    return warning(isObject(section) && section[field] === value, `${name}.${field}`, text);
  });

/** Whoever verifies a token of a service relies on that service to have verified. */
const services: Rule = (policy) =>
  (['azureMaa', 'intelTrustAuthority', 'gcpConfidentialSpace', 'nvidiaNras'] as const).map((name) =>
    warning(
      policy[name] !== undefined,
      name,
      'The service that signs these tokens is trusted to have verified the hardware; nothing here can check that it did.',
    ),
  );

/** Lists of machines, by section. */
const identityLists: Readonly<Partial<Record<PolicySectionName, string>>> = Object.freeze({
  snp: 'chipIds',
  tdx: 'ppids',
  sgx: 'ppids',
  nitro: 'instances',
  nitroTpm: 'instances',
  nvidiaGpu: 'devices',
  nvidiaNvswitch: 'devices',
  gcpVtpm: 'instances',
  azureVtpm: 'vms',
  armPsa: 'instances',
  armCca: 'instances',
});

/** Whoever takes a key out of any genuine machine can pass it off as yours, unless the policy names yours. */
const identities: Rule = (policy) =>
  Object.entries(identityLists).map(([name, list]) => {
    const section: unknown = { ...policy }[name];
    const lists = isObject(section) ? section[list] : undefined;
    const open = isObject(section) && !(isObject(lists) && 'allow' in lists);
    return warning(
      open,
      `${name}.${list}`,
      'Any machine of an accepted kind will do; list yours to make a key leaked elsewhere useless here.',
    );
  });
