import type { ClaimsBase } from './base.ts';

/** A reference document that the measurements were compared with. */
export interface NvidiaReference {
  /** What it speaks for. A switch has firmware only. */
  readonly role: 'driver' | 'vbios';
  /** Version of the driver or firmware. */
  readonly version: string;
  /** Identifier of the document (tagId), hex. */
  readonly tagId: string;
  /** How many measurements it lists. */
  readonly measurements: number;
}

/** What GPUs and switches have in common. */
interface NvidiaClaimsBase extends ClaimsBase {
  readonly simulated: false;
  readonly vendor: 'NVIDIA';
  /** The serial number of the certificate of the chip's own key, hex; the same whatever firmware runs. */
  readonly identity: { readonly kind: 'nvidia-device-id'; readonly value: string };
  /** The serial number of the leaf in decimal, as NVIDIA's own tools show it (`ueid`); differs with the firmware. */
  readonly ueid: string;
  /** Chip as the leaf names it, for instance GH100. */
  readonly chip: string;
  /** Common name of the chip's certificate, for instance "GH100 A01 GSP BROM". */
  readonly hardwareModel: string;
  /** Version of the GPU's VBIOS or the switch's firmware, as the documents write it. */
  readonly vbiosVersion: string;
  /** SHA-384 of the measurement record, hex: of all measurements together, those that no document covers included. */
  readonly measurement: string;
  /** The documents that vouch for the measurements; fewer than are needed only under a waiver. */
  readonly references: readonly NvidiaReference[];
  /** Indexes of measurements that no document covers; empty unless under a waiver. */
  readonly uncovered: readonly number[];
  /** Until when the reference documents are valid, ISO 8601: the earliest end. Absent: there are none. */
  readonly referencesValidUntil?: string;
}

/** Facts about an NVIDIA GPU that were authenticated and that the policy accepts. JSON-safe. Hex is lower-case. */
export interface NvidiaGpuClaims extends NvidiaClaimsBase {
  readonly tee: 'nvidia-gpu';
  readonly architecture: 'hopper' | 'blackwell';
  /** Whether developer tools are on; only under a waiver. Absent settings count as off, under a waiver as well. */
  readonly debug: boolean;
  readonly driverVersion: string;
  /** How guests use the GPU: alone (`spt`), with others (`mpt`), or as protected PCIe (`ppcie`). `unstated`: older drivers. */
  readonly mode: 'spt' | 'mpt' | 'ppcie' | 'unstated';
  /** What the driver in the guest says; not signed by the GPU. Absent: not collected, which needs a waiver. */
  readonly settings?: { readonly confidentialComputing: boolean; readonly developerTools: boolean };
  /** Identifiers (PDI) of the switches that it is connected to, hex, big-endian. */
  readonly switches: readonly string[];
}

/** Facts about an NVSwitch that were authenticated and that the policy accepts. JSON-safe. Hex is lower-case. */
export interface NvidiaSwitchClaims extends NvidiaClaimsBase {
  readonly tee: 'nvidia-nvswitch';
  readonly architecture: 'ls10';
  readonly debug: false;
  /** Its own identifier (PDI), hex, big-endian. */
  readonly pdi: string;
  /** Identifiers (PDI) of the GPUs that it is connected to, hex, big-endian. */
  readonly gpus: readonly string[];
}
