import { attestationPolicySchema } from '@fastness/attest';
import { z } from 'zod';

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
