import type { ArmMessageCodes } from '../arm/message.ts';

/** Tags of the collection: RMM specification 1.0 (399) and CMW collections of later drafts (907). Neither is registered. */
export const COLLECTION_TAG = 399;
export const CMW_COLLECTION_TAG = 907;
/** Members of the collection (draft-ffm-rats-cca-token, section 4.1; RMM specification, A7.2.1). */
export const PLATFORM_TOKEN = 44_234;
export const REALM_TOKEN = 44_241;
/** What a CMW record calls its type (RFC 9999): the CoAP content format of `application/eat+cwt`, or its name. */
export const EAT_CWT: readonly unknown[] = Object.freeze([263, 'application/eat+cwt']);
/** Bytes of both tokens; the largest recorded one has 2.2 KiB. */
export const MAX_CCA_TOKEN_BYTES = 32_768;

/** Codes of both messages of a CCA token; the detail says which. */
export const ccaMessageCodes = Object.freeze({
  tag: 'CCA_MESSAGE_TAG',
  algorithm: 'CCA_ALGORITHM',
  header: 'CCA_HEADER',
  payload: 'CCA_PAYLOAD',
} as const satisfies ArmMessageCodes);

/** What a challenge of a realm, and so expected report data, has. */
export const CHALLENGE_BYTES = 64;
export const REM_COUNT = 4;

/** Claims of the platform token (draft-ffm-rats-cca-token, section 4.3 to 4.7; RMM specification, A7.2.3.2). */
export const platformClaims = Object.freeze({
  challenge: 10,
  instanceId: 256,
  profile: 265,
  lifecycle: 2395,
  implementationId: 2396,
  components: 2399,
  verificationService: 2400,
  configuration: 2401,
  hash: 2402,
  clientId: 2394,
  extension: 2404,
});

/** The one client that platform tokens of RMM 2.0 are made for: the realm management security domain (A7.2.3.3.11). */
export const REALM_MANAGEMENT_CLIENT = 1;

/** Claims of the realm token (draft-ffm-rats-cca-token, section 4.8; RMM specification, A7.2.3.1). */
export const realmClaims = Object.freeze({
  challenge: 10,
  instanceId: 256,
  profile: 265,
  personalization: 44_235,
  hash: 44_236,
  publicKey: 44_237,
  initialMeasurement: 44_238,
  extensibleMeasurements: 44_239,
  publicKeyHash: 44_240,
  memoryEncryption: 44_243,
  liveFirmwareActivation: 44_244,
  devicesHash: 44_257,
});

/** How the realm token writes its key: a point as SEC 1 has it, or a COSE_Key. */
export type RealmKeyForm = 'point' | 'cose-key';

/** A profile of the realm token. `profile` undefined: the token names none. */
export interface RealmProfileFacts {
  readonly profile: string | undefined;
  readonly keyForm: RealmKeyForm;
  /** Whether the claims of RMM 2.0 are read: memory encryption (mandatory), live activation, instance, devices. */
  readonly extended: boolean;
}

const unnamed: RealmProfileFacts = { profile: undefined, keyForm: 'point', extended: false };
const realm2023: RealmProfileFacts = { profile: 'tag:arm.com,2023:realm#1.0.0', keyForm: 'cose-key', extended: false };
const realm2024: RealmProfileFacts = { profile: 'tag:arm.com,2024:realm#2.0.0', keyForm: 'cose-key', extended: true };

/** A profile of the platform token, and the realm tokens that go with it. */
export interface PlatformProfileFacts {
  readonly realms: readonly RealmProfileFacts[];
  /** Whether the claims of RMM 2.0 are read: the client (mandatory), and whether the platform was extended at run time. */
  readonly extended: boolean;
}

/**
 * Profiles of the platform token. The platform's firmware and the RMM are updated apart, so a realm token that names its
 * profile goes with every one of them; one that names none needs a platform profile that stands for both (RMM specification
 * 1.0, A7.2.3.1.2). In all of them the realm key is bound by the challenge of the platform token (the delegated model,
 * draft-ffm-rats-cca-token, section 4.10); profiles of 2026, which bind it by another claim, are not read.
 */
export const armCcaProfiles: ReadonlyMap<string, PlatformProfileFacts> = new Map([
  ['http://arm.com/CCA-SSD/1.0.0', { realms: [unnamed, realm2023, realm2024], extended: false }],
  ['tag:arm.com,2023:cca_platform#1.0.0', { realms: [unnamed, realm2023, realm2024], extended: false }],
  ['tag:arm.com,2024:cca_platform#2.0.0', { realms: [realm2023, realm2024], extended: true }],
]);
