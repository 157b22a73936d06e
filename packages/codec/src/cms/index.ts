export { parseEnvelopedData, type EnvelopedData } from './enveloped-data.ts';
