import { policySectionOf, type AttestationPolicy } from '@fastness/attest';
import { isObject } from './is-object.ts';
import { policyJsonSchema, type SchemaNode } from './policy-schema.ts';

/** One line about a policy: a field, what it says, what that means. */
export interface PolicyStatement {
  /** Path of the field, such as snp.hostData. */
  readonly path: string;
  /** What is accepted, for people; for an absent field what its absence means. */
  readonly means: string;
  readonly present: boolean;
}

const shownValues = 3;

/** Says field by field what a policy accepts, absent fields included, in the words of the schema. */
export function explainPolicy(policy: AttestationPolicy): readonly PolicyStatement[] {
  const { properties = {} } = policyJsonSchema();
  return [...statementsOf({ ...policy }, properties, '')].filter(
    ({ path }) => !['version', 'id', 'waivers'].includes(path),
  );
}

function* statementsOf(
  value: Readonly<Record<string, unknown>>,
  properties: Readonly<Record<string, SchemaNode>>,
  prefix: string,
): Generator<PolicyStatement> {
  for (const [name, node] of Object.entries(properties)) {
    const path = `${prefix}${name}`;
    const member = value[name];
    const [what, absent] = sentencesOf(node.description);
    if (member === undefined) {
      // A section that is absent has no fields to explain; see `absentSections`.
      if (absent !== '') yield { path, means: absent, present: false };
    } else if (isObject(member) && node.properties !== undefined) {
      if (what !== '') yield { path, means: what, present: true };
      yield* statementsOf(member, node.properties, `${path}.`);
    } else yield { path, means: `${shown(member)}${what === '' ? '' : ` - ${what}`}`, present: true };
  }
}

/** Sections that the policy does not have: evidence of their kinds is refused. */
export function absentSections(policy: AttestationPolicy): readonly string[] {
  const given: Readonly<Record<string, unknown>> = { ...policy };
  return [...new Set(Object.values(policySectionOf))].filter((name) => given[name] === undefined);
}

/** What the field means, and what its absence means: descriptions end with "Absent: ...". */
function sentencesOf(description = ''): [what: string, absent: string] {
  const at = description.indexOf('Absent: ');
  if (at < 0) return [description.trim(), ''];
  return [description.slice(0, at).trim(), description.slice(at + 'Absent: '.length).trim()];
}

function shown(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'string' ? value : JSON.stringify(value);
  const list: readonly unknown[] = value;
  const first = list.slice(0, shownValues).map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  const more = list.length - first.length;
  if (list.length === 0) return 'none';
  return more > 0 ? `${first.join(', ')} and ${more} more` : first.join(', ');
}
