/**
 * X-Wing in JavaScript, for runtimes whose WebCrypto has no ML-KEM-768. Several times slower, and JavaScript promises nothing
 * about time or about what stays in memory: an observer of the same machine learns more than of WebCrypto.
 */
export { KEM_MLKEM768_X25519 as hpkeXWing } from '@panva/hpke-noble';
