import {
  AZURE_MAA_TOKEN_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  type Tee,
} from '@fastness/attest';
import {
  recogniseAndroidKey,
  recogniseCca,
  recogniseNitro,
  recogniseNvidia,
  recognisePsa,
  recogniseQuote,
  recogniseSnp,
  type RecognisedEvidence,
} from './raw-hardware.ts';
import { recogniseNras, recogniseToken } from './raw-tokens.ts';

/** One kind of file as the vendor's tools write it. */
interface RawFormat {
  readonly tee: Tee;
  /** Names that --format takes, beside the TEE's own. */
  readonly names: readonly string[];
  readonly what: string;
  /** Undefined: the content is of another kind. That it is of this kind does not make it sound. */
  readonly recognise: (bytes: Uint8Array) => RecognisedEvidence | undefined;
}

/**
 * In this order; the first that recognises a file has it. Quotes of TPMs, of Azure and of Google have no file format that
 * their tools agree on: they come as CMW.
 */
export const rawFormats: readonly RawFormat[] = Object.freeze([
  {
    tee: 'sev-snp',
    names: ['snp'],
    what: 'an SEV-SNP report (1184 bytes), extended or not, or what configfs-tsm gives, as JSON',
    recognise: recogniseSnp,
  },
  { tee: 'tdx', names: [], what: 'a TDX quote', recognise: (bytes) => recogniseQuote(bytes, 'tdx') },
  { tee: 'sgx', names: [], what: 'an SGX quote', recognise: (bytes) => recogniseQuote(bytes, 'sgx') },
  {
    tee: 'aws-nitro',
    names: ['nitro'],
    what: 'an attestation document of a Nitro Enclave',
    recognise: (bytes) => recogniseNitro(bytes, 'enclave'),
  },
  {
    tee: 'aws-nitrotpm',
    names: ['nitrotpm'],
    what: 'an attestation document of NitroTPM',
    recognise: (bytes) => recogniseNitro(bytes, 'nitrotpm'),
  },
  {
    tee: 'nvidia-gpu',
    names: ['gpu'],
    what: 'the evidence of one NVIDIA GPU, as JSON of its attestation SDK',
    recognise: (bytes) => recogniseNvidia(bytes, 'nvidia-gpu'),
  },
  {
    tee: 'nvidia-nvswitch',
    names: ['nvswitch'],
    what: 'the evidence of one NVSwitch, in the same form',
    recognise: (bytes) => recogniseNvidia(bytes, 'nvidia-nvswitch'),
  },
  { tee: 'arm-cca', names: ['cca'], what: 'an Arm CCA token', recognise: recogniseCca },
  { tee: 'arm-psa', names: ['psa'], what: 'a PSA token', recognise: recognisePsa },
  {
    tee: 'android-key',
    names: ['android'],
    what: 'the certificate chain of an Android key (PEM)',
    recognise: recogniseAndroidKey,
  },
  {
    tee: 'azure-maa',
    names: ['maa'],
    what: 'a token of Microsoft Azure Attestation',
    recognise: (bytes) => recogniseToken(bytes, AZURE_MAA_TOKEN_TYPE),
  },
  {
    tee: 'intel-trust-authority',
    names: ['ita'],
    what: 'a token of Intel Trust Authority',
    recognise: (bytes) => recogniseToken(bytes, INTEL_TRUST_AUTHORITY_TOKEN_TYPE),
  },
  {
    tee: 'gcp-confidential-space',
    names: ['confidential-space'],
    what: 'a token of Google Confidential Space',
    recognise: (bytes) => recogniseToken(bytes, GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE),
  },
  { tee: 'nvidia-nras', names: ['nras'], what: "a detached EAT of NVIDIA's service", recognise: recogniseNras },
] satisfies RawFormat[]);
