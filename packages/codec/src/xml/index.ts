/** A strict reader of a subset of XML, and Canonical XML 1.1 of what it reads: enough for signed documents. */
export { canonicaliseXml } from './canonicalise.ts';
export { parseXml, type XmlLimits } from './parse.ts';
export type { XmlAttribute, XmlElement } from './types.ts';
