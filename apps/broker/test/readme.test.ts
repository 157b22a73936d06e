import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { brokerConfigSchema, brokerPolicySchema } from '../src/index.ts';

it('shows a configuration and a policy that the broker takes', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const examples = [...readme.matchAll(/```json\n([^`]*)```/g)].map(([, text = '']): unknown => JSON.parse(text));
  expect(examples).toHaveLength(2);
  brokerConfigSchema.parse(examples[0]);
  brokerPolicySchema.parse(examples[1]);
});
