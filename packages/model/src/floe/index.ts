export { floeDecrypt, floeDecryptSegment, floeEncrypt, type FloeKeyAndAad } from './message.ts';
export { geometryOf, geometryOfSealed, placeOf, type FloeGeometry, type SegmentPlace } from './geometry.ts';
export {
  defaultSegmentSize,
  floeHeaderLength,
  floeKeyLength,
  maxSegmentSize,
  minSegmentSize,
  segmentOverhead,
} from './parameters.ts';
