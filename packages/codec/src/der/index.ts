export { ecdsaSignatureFromRaw, ecdsaSignatureToRaw } from './ecdsa-signature.ts';
export { DerReader, readDerSequence, type DerElement } from './reader.ts';
export { contextConstructed, contextPrimitive, derTags } from './tags.ts';
export { der } from './writer.ts';
