import './errors.ts';
export { emptyRoot, hashLength, webHasher, type TreeHasher } from './merkle/hasher.ts';
export { maxProofHashes, verifyInclusion } from './merkle/inclusion.ts';
export { verifyConsistency, type TreeHead } from './merkle/consistency.ts';
export { proveConsistency, proveInclusion, rootOf, type ReadSubtree } from './merkle/prove.ts';
export { createFrontier, type Frontier } from './merkle/frontier.ts';
export { parseTilePath, tileHeight, tilePath, tileWidth, widthIn, type TileName } from './tiles/path.ts';
export { perfectRoot, subtreesOf, type ReadTile } from './tiles/subtrees.ts';
export { decodeEntries, encodeEntry, maxEntryLength, parseJsonEntry } from './tiles/entries.ts';
export { parseVerifierKey, verifierKeyOf, type KeyAlgorithm, type VerifierKey } from './note/verifier-key.ts';
export {
  encodeSignatureLine,
  openNote,
  parseNote,
  parseSignatureLine,
  signNote,
  type OpenNote,
  type SignatureLine,
  type SignedNote,
  type SignEd25519,
  type VerifiedSignature,
} from './note/signed-note.ts';
export { cosign } from './note/cosign.ts';
export {
  encodeCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  type Checkpoint,
  type LogTrust,
  type VerifiedCheckpoint,
} from './checkpoint/checkpoint.ts';
export { encodeProof, parseProof, verifyProof, type LogProof, type ProvenEntry } from './proof.ts';
export {
  encodeAddCheckpoint,
  maxWitnessRequest,
  parseAddCheckpoint,
  sizeMediaType,
  type AddCheckpointRequest,
} from './witness/request.ts';
export { createWitness, type Witness, type WitnessAnswer, type WitnessStore } from './witness/witness.ts';
export { requestCosignature, type Cosignature, type WitnessAddress } from './witness/client.ts';
export { collectCosignatures, type CosignedCheckpoint, type WitnessQuorum } from './witness/collect.ts';
export {
  checkContinues,
  makeConsistencyProof,
  makeProof,
  provenEntries,
  readCheckpoint,
  readEntries,
  readSubtrees,
  verifyEntries,
  type LogSource,
  type ReadResource,
} from './reader/reader.ts';
export { httpLog } from './reader/http.ts';
