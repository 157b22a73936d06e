import { der } from '@fastness/codec/der';

/** A name as the forge takes it: a common name, the attributes AMD uses, or ready DER. */
export type ForgedName = string | Uint8Array | ForgedNameFields;

export interface ForgedNameFields {
  readonly commonName?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly country?: string;
  readonly locality?: string;
  readonly state?: string;
}

/** The DER of a name; the attributes come in the order of AMD's certificates. */
export function encodeName(name: ForgedName): Uint8Array {
  if (name instanceof Uint8Array) return name;
  const fields: ForgedNameFields = typeof name === 'string' ? { commonName: name } : name;
  const attributes: [string, string | undefined, (text: string) => Uint8Array][] = [
    ['2.5.4.11', fields.organizationalUnit, der.utf8String],
    ['2.5.4.6', fields.country, der.printableString],
    ['2.5.4.7', fields.locality, der.utf8String],
    ['2.5.4.8', fields.state, der.utf8String],
    ['2.5.4.10', fields.organization, der.utf8String],
    ['2.5.4.3', fields.commonName, der.utf8String],
  ];
  const sets = attributes.flatMap(([oid, text, write]) =>
    text === undefined ? [] : [der.set(der.sequence(der.oid(oid), write(text)))],
  );
  return der.sequence(...sets);
}
