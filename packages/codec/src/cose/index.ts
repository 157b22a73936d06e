export { coseAlgorithms, type CoseAlgorithm } from './algorithms.ts';
export { coseHeaders } from './headers.ts';
export { decodeSign1, encodeSign1, sign1ToBeSigned, type Sign1 } from './sign1.ts';
export { verifySign1 } from './verify.ts';
