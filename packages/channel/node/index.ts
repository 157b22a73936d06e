export { generateNodeReceiptKey } from './receipt-key.ts';
export { nodePrimitives } from './primitives.ts';
