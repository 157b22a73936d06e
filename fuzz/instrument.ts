import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';

/** Where instrumented code counts: one byte a place, wrapping. Set before the bundle is imported. */
export const COVERAGE = 'fastnessCoverage';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string';

/**
 * Bundles a module and what it imports, from source, with a counter in every branch: blocks, single statements, cases, and
 * the operands of ?:, &&, || and ??. `include`: the modules that are counted, by path. Answers with the code and the number of counters.
 */
export async function instrument(
  entry: URL,
  include: RegExp = /\/(?:packages|apps)\/[^/]+\/src\/.*\.ts$/,
): Promise<{ readonly code: string; readonly places: number }> {
  let places = 0;
  const bundle = await rolldown({
    input: fileURLToPath(entry),
    platform: 'node',
    resolve: { conditionNames: ['source', 'import'] },
    plugins: [
      {
        name: 'coverage',
        transform: (code, id) => {
          if (!include.test(id)) return null;
          const inserted = counters(code, () => places++);
          return `const __c = globalThis.${COVERAGE};${inserted}`;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  return { code: output[0].code, places };
}

/** The same program with counters; TypeScript in, TypeScript out. */
function counters(code: string, next: () => number): string {
  const insertions: { readonly at: number; readonly text: string; readonly order: number }[] = [];
  const insert = (at: number, text: string): void => {
    insertions.push({ at, text, order: insertions.length });
  };
  const wrap = (node: Node): void => {
    insert(node.start, `(__c[${next()}]++,(`);
    insert(node.end, '))');
  };
  const statement = (value: unknown): void => {
    if (!isNode(value) || value.type === 'BlockStatement') return;
    insert(value.start, `{__c[${next()}]++;`);
    insert(value.end, '}');
  };
  const visit = (node: Node): void => {
    switch (node.type) {
      case 'BlockStatement':
        insert(node.start + 1, `__c[${next()}]++;`);
        break;
      case 'SwitchCase': {
        const [first] = node['consequent'] as Node[];
        if (first !== undefined && first.type !== 'BlockStatement') insert(first.start, `__c[${next()}]++;`);
        break;
      }
      case 'IfStatement':
        statement(node['consequent']);
        if (isNode(node['alternate']) && node['alternate'].type !== 'IfStatement') statement(node['alternate']);
        break;
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
      case 'WhileStatement':
        statement(node['body']);
        break;
      case 'ConditionalExpression':
        wrap(node['consequent'] as Node);
        wrap(node['alternate'] as Node);
        break;
      case 'LogicalExpression':
        wrap(node['right'] as Node);
        break;
      case 'ArrowFunctionExpression':
        if ((node['body'] as Node).type !== 'BlockStatement') wrap(node['body'] as Node);
        break;
      default:
        break;
    }
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) value.filter((member) => isNode(member)).forEach(visit);
      else if (isNode(value)) visit(value);
    }
  };
  visit(parseAst(code, { lang: 'ts' }) as unknown as Node);
  // At one place, what closes an inner node comes before what closes an outer one, and openings go the other way round.
  const opening = ({ text }: { readonly text: string }): boolean => text !== '))' && text !== '}';
  insertions.sort((a, b) => {
    if (a.at !== b.at) return a.at - b.at;
    if (opening(a) !== opening(b)) return opening(a) ? 1 : -1;
    return opening(a) ? a.order - b.order : b.order - a.order;
  });
  let result = '';
  let from = 0;
  for (const { at, text } of insertions) {
    result += code.slice(from, at) + text;
    from = at;
  }
  return result + code.slice(from);
}
