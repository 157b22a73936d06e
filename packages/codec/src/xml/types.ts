/** One attribute; namespace declarations are kept apart. */
export interface XmlAttribute {
  /** As written, with its prefix. */
  readonly name: string;
  readonly local: string;
  /** Absent for names without a prefix: the default namespace does not cover attributes. */
  readonly namespace?: string;
  /** References replaced, white space normalised to spaces. */
  readonly value: string;
}

/** One element. Text and elements alternate in `children` as they stand in the document. */
export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string;
  readonly local: string;
  /** Absent: in no namespace. */
  readonly namespace?: string;
  readonly attributes: readonly XmlAttribute[];
  /** Namespaces in scope, by prefix; the default one under the empty string. */
  readonly scope: ReadonlyMap<string, string>;
  readonly children: readonly (XmlElement | string)[];
}
