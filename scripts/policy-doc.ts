// Writes docs/policy.schema.json and docs/policy.md from the schema of the attestation policy and the policies under
// examples/policies, or with --check says whether they are up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { policySectionOf } from '@fastness/attest';
import { waivableChecksOf } from '../packages/attest/src/waivers.ts';
import { policyFileSchema, policyJsonSchema, type SchemaNode } from '../apps/cli/src/support/attest/policy-schema.ts';

const at = (path: string): URL => new URL(`../${path}`, import.meta.url);
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The kinds of evidence that a section speaks for. */
function teesOf(section: string): string {
  const tees = Object.entries(policySectionOf).filter(([, name]) => name === section);
  return tees.map(([tee]) => `\`${tee}\``).join(', ');
}

/** The checks that waivers can name where this section is. */
function waivableIn(section: string): string {
  const [, checks = []] = Object.entries(waivableChecksOf).find(([name]) => name === section) ?? [];
  return checks.length === 0
    ? 'Nothing of it can be waived.'
    : `Waivable: ${checks.map((code) => `\`${code}\``).join(', ')}.`;
}

function typeOf(node: SchemaNode): string {
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map((each) => typeOf(each)))].join(' or ');
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((each) => `\`${String(each)}\``).join(', ');
  if (node.type === 'array') return node.items === undefined ? 'list' : `list of ${typeOf(node.items)}`;
  if (node.type === 'integer' || node.type === 'number') return 'number';
  if (node.pattern?.includes('[0-9a-f]') === true) return 'hex';
  return node.type ?? 'any';
}

/** Fields of an object and of the objects in it, one row each. */
function* rows(node: SchemaNode, prefix: string): Generator<string> {
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    const needed = node.required?.includes(name) === true ? 'yes' : '';
    const { description = '' } = member;
    const type = `${prefix}${name}` === 'waivers[].check' ? 'a code that its section names' : typeOf(member);
    yield `| \`${prefix}${name}\` | ${cell(type)} | ${needed} | ${cell(description)} |`;
    yield* rows(member, `${prefix}${name}.`);
    if (member.items?.properties !== undefined) yield* rows(member.items, `${prefix}${name}[].`);
  }
}

function table(node: SchemaNode): string {
  return ['| field | type | required | meaning |', '| --- | --- | --- | --- |', ...rows(node, '')].join('\n');
}

const schema = policyJsonSchema();
const sections: readonly string[] = [...new Set<string>(Object.values(policySectionOf))];
const properties = Object.entries(schema.properties ?? {});
const common = Object.fromEntries(properties.filter(([name]) => !sections.includes(name)));
const examples = readdirSync(at('examples/policies/'))
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((name) => `### ${name}\n\n\`\`\`yaml\n${readFileSync(at(`examples/policies/${name}`), 'utf8')}\`\`\``);

const page = `# Attestation policies

Made by \`npm run docs:policy\` from the schema that the verifier itself applies and from \`examples/policies\`; do not edit.
[policy.schema.json](policy.schema.json) is the same as JSON Schema, for editors; what spans several fields only the verifier
checks.

A policy says what evidence must look like to be accepted. There is a section for each kind of evidence; **a section that is
absent refuses its kind**, and unknown fields are refused, so that a misspelt restriction cannot pass for one. What an absent
field means is said at the field. \`fastness policy check FILE\` says all of that about one policy and warns where it is wide
open; \`fastness policy explain EVIDENCE --policy FILE\` shows check by check what became of one piece of evidence.

**Files** are JSON or YAML 1.2, read strictly: one document, no repeated keys, no anchors, aliases, tags or merge keys. Put hex
into quotes, as digits alone read as a number. The policies of clients and brokers hold the same under \`attestation\`.

**Waivers** name one check and give a reason. Only checks that a legitimate deployment can fail are waivable; a waiver that was
needed ends up in the result, and takes away from the trustworthiness vector there.

**Reference values** are exact values or lists of them. \`from-release\` takes them from a signed release, where there is one
(broker, client). A section can take them from a CoRIM instead:

\`\`\`yaml
snp:
  corim: { file: image.corim.cbor, signers: [BASE64URL-OF-SPKI] } # or unsigned: true, and you vouch for the file
  products: [Genoa]
\`\`\`

A member that the manifest fills must be absent from the section; nothing is merged.

**Machines with devices** send one collection (RFC 9999: \`cpu0\`, \`gpu0\`, \`nvswitch0\`, \`tpm0\`, ...). \`devices\` says which
must be there; each needs a section of its kind as well. The processor's evidence carries the digest of all device evidence,
and each device answers a nonce of its own. On NVIDIA Hopper nothing in the evidence proves that a GPU sits in this machine.

## Fields of every policy

<!-- prettier-ignore-start -->

${table({ properties: common, ...(schema.required === undefined ? {} : { required: schema.required }) })}

<!-- prettier-ignore-end -->

${sections
  .map((name) => {
    const node = schema.properties?.[name] ?? {};
    return `## ${name}\n\nFor evidence of ${teesOf(name)}. ${waivableIn(name)}\n\n<!-- prettier-ignore-start -->\n\n${table(node)}\n\n<!-- prettier-ignore-end -->`;
  })
  .join('\n\n')}

## Examples

The digests are made up. A test reads every one of them.

${examples.join('\n\n')}
`;

const config = await resolveConfig(at('package.json'));
const files = [
  ['docs/policy.schema.json', await format(JSON.stringify(policyFileSchema()), { ...config, parser: 'json' })],
  ['docs/policy.md', await format(page, { ...config, parser: 'markdown' })],
] as const;
for (const [path, text] of files) {
  if (!process.argv.includes('--check')) writeFileSync(at(path), text);
  else if (readFileSync(at(path), 'utf8') !== text) {
    process.stderr.write(`${path} is out of date. Next: npm run docs:policy\n`);
    process.exitCode = 1;
  }
}
