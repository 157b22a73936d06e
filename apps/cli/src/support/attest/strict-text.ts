import { FastnessError } from '@fastness/codec/errors';
import { isAlias, isScalar, parseDocument, visit } from 'yaml';

/** Policies are a few KiB; one with a thousand digests is under 200. */
const maxCharacters = 1024 * 1024;

/**
 * Reads JSON or YAML 1.2 into plain data. Strict, because two readers that understand a policy differently are a hole in
 * it: one document, no key twice, no anchors and aliases, no tags, no merge keys, whole numbers only.
 * Throws CLI_POLICY_SYNTAX, with the line where there is one.
 */
export function readStrictText(text: string, path: string): unknown {
  if (text.length > maxCharacters) throw syntax(path, `${text.length} characters; at most ${maxCharacters}`);
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
    merge: false,
    resolveKnownTags: false,
  });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw syntax(path, fault.message.split('\n', 1)[0]?.replace(/:$/, '') ?? '');
  visit(document, {
    Node(_key, node) {
      if (isAlias(node) || ('anchor' in node && node.anchor !== undefined))
        throw syntax(path, 'an anchor or alias; write the value out');
      if (node.tag !== undefined) throw syntax(path, `the tag ${node.tag}`);
      // Digits alone read as a number, and hex with an e in the right place as a float.
      if (isScalar(node) && typeof node.value === 'number' && !Number.isSafeInteger(node.value))
        throw syntax(path, `${node.source ?? 'a value'} reads as a number; put hex into quotes`);
    },
  });
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  return value;
}

function syntax(path: string, why: string): FastnessError {
  return new FastnessError('CLI_POLICY_SYNTAX', `${path}: ${why}.`);
}
