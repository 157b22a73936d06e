/** Forged Android devices: attested keys, the chains above them, and Google's status list. */
export {
  androidLevels,
  forgeAndroidChain,
  forgeAndroidStatus,
  keyDescriptionExtension,
  type AndroidLevel,
  type ForgeAndroidChainOptions,
  type ForgedAndroidChain,
} from './chain.ts';
export {
  androidTags,
  applicationId,
  encodeKeyDescription,
  forgedBootHash,
  forgedBootKey,
  forgedSigner,
  hardwareProperties,
  rootOfTrust,
  taggedProperty,
  type ForgedKeyDescription,
  type ForgedProperty,
  type ForgedRootOfTrust,
} from './key-description.ts';
