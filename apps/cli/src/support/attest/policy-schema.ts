import { attestationPolicySchema, policySectionOf } from '@fastness/attest';
import { z } from 'zod';
import { corimImportSchema } from './corim.ts';

/** The part of JSON Schema that the policy's schema uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly [member: string]: unknown;
}

const nodeSchema: z.ZodType<SchemaNode> = z.lazy(() =>
  z.looseObject({
    type: z.string().exactOptional(),
    description: z.string().exactOptional(),
    properties: z.record(z.string(), nodeSchema).exactOptional(),
    required: z.array(z.string()).exactOptional(),
    items: nodeSchema.exactOptional(),
    anyOf: z.array(nodeSchema).exactOptional(),
    pattern: z.string().exactOptional(),
    enum: z.array(z.unknown()).exactOptional(),
    const: z.unknown().exactOptional(),
  }),
);

/** The attestation policy as JSON Schema (draft 2020-12), made from the schema that the verifier itself applies. */
export function policyJsonSchema(): SchemaNode {
  return nodeSchema.parse(z.toJSONSchema(attestationPolicySchema, { io: 'input' }));
}

/**
 * The schema of policy files: as {@link policyJsonSchema}, and every section may have a member `corim` in place of members
 * that a manifest fills in.
 */
export function policyFileSchema(): SchemaNode {
  const { properties = {}, ...policy } = policyJsonSchema();
  const corim = nodeSchema.parse(z.toJSONSchema(corimImportSchema, { io: 'input' }));
  const { $schema: _dialect, ...definition } = corim;
  const reference: SchemaNode = { $ref: '#/$defs/corim' };
  const member: SchemaNode = {
    description: 'Manifests whose reference values become members of this section.',
    anyOf: [reference, { type: 'array', items: reference, minItems: 1, maxItems: 16 }],
  };
  const sections: ReadonlySet<string> = new Set(Object.values(policySectionOf));
  const withImports = Object.entries(properties).map(([name, node]): [string, SchemaNode] => {
    if (!sections.has(name) || node.properties === undefined) return [name, node];
    const { required = [], ...section } = node;
    const complete = { anyOf: [{ required }, { required: ['corim'] }] };
    return [name, { ...section, properties: { corim: member, ...node.properties }, ...complete }];
  });
  return {
    ...policy,
    title: 'Fastness attestation policy',
    properties: Object.fromEntries(withImports),
    $defs: { corim: definition },
  };
}
