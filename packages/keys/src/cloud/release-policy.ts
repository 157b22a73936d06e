import { FastnessError } from '@fastness/codec/errors';

/** What a claim can be. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

export type PolicyOperator =
  'equals' | 'notEquals' | 'less' | 'lessOrEquals' | 'greater' | 'greaterOrEquals' | 'exists';

export interface ClaimCondition {
  /** Names from the outside in: the claim `a.b` of the policy's text. */
  readonly path: readonly string[];
  readonly operator: PolicyOperator;
  readonly operand: string | number | boolean;
}

/** All, or at least one, of the conditions; groups may be in groups. */
export interface ClaimGroup {
  readonly kind: 'allOf' | 'anyOf';
  readonly conditions: readonly (ClaimCondition | ClaimGroup)[];
}

export interface AuthorityRule extends ClaimGroup {
  /** The issuer of the token, an https URL without a slash at its end. */
  readonly authority: string;
}

/** A release policy that was checked whole. */
export interface ReleasePolicy {
  readonly version: string;
  readonly anyOf: readonly AuthorityRule[];
}

const operators: Readonly<Record<PolicyOperator, readonly string[]>> = Object.freeze({
  equals: ['string', 'number', 'boolean'],
  notEquals: ['string', 'number', 'boolean'],
  less: ['number'],
  lessOrEquals: ['number'],
  greater: ['number'],
  greaterOrEquals: ['number'],
  exists: ['boolean'],
});

const limits = Object.freeze({ depth: 8, conditions: 256, path: 8, text: 1024 });
const isOperator = (name: string): name is PolicyOperator => Object.hasOwn(operators, name);

/**
 * Reads a policy of Azure's secure key release, in its grammar (environment assertion, version 1.x):
 * `{"version":"1.0.0","anyOf":[{"authority":"https://...","allOf":[{"claim":"a.b","equals":"x"}]}]}`.
 *
 * A rule has one of `allOf` and `anyOf` beside its authority, with 1 or more conditions; a condition has one claim and
 * one operator, or is itself `allOf` or `anyOf`. `equals` and `notEquals` take text, numbers and booleans; `less`,
 * `lessOrEquals`, `greater`, `greaterOrEquals` take numbers; `exists` takes a boolean. Names that are not known are
 * refused, so that no condition is left out by mistake.
 * Errors: RELEASE_POLICY_MALFORMED, RELEASE_POLICY_OPERATOR. The detail names the place.
 */
export function parseReleasePolicy(value: unknown): ReleasePolicy {
  const { version, anyOf, ...rest } = fieldsOf(value, 'policy');
  if (typeof version !== 'string' || !/^1\.\d{1,4}(?:\.\d{1,4})?$/.test(version)) {
    throw malformed('policy.version is not 1.x.');
  }
  requireNone(rest, 'policy');
  const count = { left: limits.conditions };
  const rules = listOf(anyOf, 'policy.anyOf').map((entry, index) => parseRule(entry, `policy.anyOf[${index}]`, count));
  return Object.freeze({ version, anyOf: Object.freeze(rules) });
}

function parseRule(value: unknown, place: string, count: { left: number }): AuthorityRule {
  const { authority, ...group } = fieldsOf(value, place);
  if (typeof authority !== 'string') throw malformed(`${place}.authority is missing.`);
  return Object.freeze({ authority: normalAuthority(authority, place), ...parseGroup(group, place, count, 1) });
}

function parseGroup(
  { allOf, anyOf, ...rest }: Readonly<Record<string, unknown>>,
  place: string,
  count: { left: number },
  depth: number,
): ClaimGroup {
  requireNone(rest, place);
  if (depth > limits.depth) throw malformed(`${place} is nested too deep.`);
  if ((allOf === undefined) === (anyOf === undefined)) throw malformed(`${place} has not one of allOf and anyOf.`);
  const kind = allOf === undefined ? 'anyOf' : 'allOf';
  const conditions = listOf(allOf ?? anyOf, `${place}.${kind}`).map((entry, index) =>
    parseCondition(entry, `${place}.${kind}[${index}]`, count, depth + 1),
  );
  return Object.freeze({ kind, conditions: Object.freeze(conditions) });
}

function parseCondition(
  value: unknown,
  place: string,
  count: { left: number },
  depth: number,
): ClaimCondition | ClaimGroup {
  count.left -= 1;
  if (count.left < 0) throw malformed(`It has more than ${limits.conditions} conditions.`);
  const fields = fieldsOf(value, place);
  if ('allOf' in fields || 'anyOf' in fields) return parseGroup(fields, place, count, depth);
  const { claim, ...rest } = fields;
  const names = Object.keys(rest);
  const [operator] = names;
  const unknown = names.find((name) => !isOperator(name));
  if (unknown !== undefined) {
    throw new FastnessError('RELEASE_POLICY_OPERATOR', `${place}: ${JSON.stringify(unknown.slice(0, 64))}`);
  }
  if (operator === undefined || !isOperator(operator) || names.length !== 1) {
    throw malformed(`${place} has not one operator.`);
  }
  const operand = rest[operator];
  if (!operators[operator].includes(typeof operand)) throw malformed(`${place}.${operator} is of the wrong type.`);
  if (typeof operand === 'number' && !Number.isFinite(operand)) throw malformed(`${place}.${operator} is no number.`);
  if (typeof operand !== 'string' && typeof operand !== 'number' && typeof operand !== 'boolean') {
    throw malformed(`${place}.${operator} is of the wrong type.`);
  }
  if (typeof operand === 'string' && operand.length > limits.text) throw malformed(`${place}.${operator} is too long.`);
  return Object.freeze({ path: parsePath(claim, place), operator, operand });
}

function parsePath(claim: unknown, place: string): readonly string[] {
  if (typeof claim !== 'string' || claim.length > limits.text) throw malformed(`${place}.claim is missing.`);
  const path = claim.split('.');
  if (path.length > limits.path || path.some((name) => name === '')) throw malformed(`${place}.claim is no path.`);
  return Object.freeze(path);
}

/** Which rule let the claims pass. */
export interface PolicyMatch {
  /** Its place in `anyOf`, from 0. */
  readonly rule: number;
  readonly authority: string;
}

/**
 * Compares the claims of a verified token, whose issuer is `authority`, with the policy. It is the caller who has
 * verified signature, issuer and time: this function believes what it is given.
 *
 * A claim of several names is looked up inward, `a.b` as `b` of `a`; where a claim's own name has dots in it, as in
 * `x-ms-isolation-tee.x-ms-attestation-type` written flat, the longest name that is there is taken. `less` and its kind
 * hold for numbers alone, `equals` for the same type and value alone, and `notEquals` for a claim that is there, is
 * text, a number or a boolean, and differs: an absent claim satisfies nothing but `exists: false`.
 * Errors: RELEASE_POLICY_UNMET, with the first condition that failed in each rule; never with a claim's value.
 */
export function evaluateReleasePolicy(
  policy: ReleasePolicy,
  token: { readonly authority: string; readonly claims: Readonly<Record<string, JsonValue>> },
): PolicyMatch {
  const authority = normalAuthority(token.authority, 'token');
  const failures: string[] = [];
  for (const [index, rule] of policy.anyOf.entries()) {
    if (rule.authority !== authority) {
      failures.push(`anyOf[${index}]: another authority`);
      continue;
    }
    const failed = firstFailure(rule, token.claims);
    if (failed === undefined) return { rule: index, authority };
    failures.push(`anyOf[${index}]: ${failed}`);
  }
  throw new FastnessError('RELEASE_POLICY_UNMET', failures.slice(0, 16).join('; '));
}

function firstFailure(
  condition: ClaimCondition | ClaimGroup,
  claims: Readonly<Record<string, JsonValue>>,
): string | undefined {
  if ('operator' in condition) {
    return holds(condition, claims) ? undefined : `${condition.path.join('.')} ${condition.operator}`;
  }
  const failures = condition.conditions.map((inner) => firstFailure(inner, claims));
  if (condition.kind === 'allOf') return failures.find((failure) => failure !== undefined);
  return failures.includes(undefined) ? undefined : `none of ${failures.length}`;
}

function holds({ path, operator, operand }: ClaimCondition, claims: Readonly<Record<string, JsonValue>>): boolean {
  const value = lookUp(claims, path);
  if (operator === 'exists') return (value !== undefined) === operand;
  if (operator === 'equals') return value === operand;
  if (operator === 'notEquals') return ['string', 'number', 'boolean'].includes(typeof value) && value !== operand;
  return typeof value === 'number' && typeof operand === 'number' && comparisons[operator](value, operand);
}

const comparisons = Object.freeze({
  less: (value: number, operand: number) => value < operand,
  lessOrEquals: (value: number, operand: number) => value <= operand,
  greater: (value: number, operand: number) => value > operand,
  greaterOrEquals: (value: number, operand: number) => value >= operand,
});

function lookUp(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  if (path.length === 0) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const members = new Map(Object.entries(value));
  for (let length = path.length; length > 0; length -= 1) {
    const inner = members.get(path.slice(0, length).join('.'));
    // The longest name decides, found or not below it: two readings of one claim must not both count.
    if (inner !== undefined) return lookUp(inner, path.slice(length));
  }
  return undefined;
}

/** An authority is compared without the slash that issuers put at the end or leave out, and otherwise to the byte. */
function normalAuthority(authority: string, place: string): string {
  const url = URL.canParse(authority) ? new URL(authority) : undefined;
  const plain = url?.protocol === 'https:' && url.username === '' && url.search === '' && url.hash === '';
  if (!plain || authority.length > limits.text) throw malformed(`${place}.authority is no https address.`);
  return authority.replace(/\/$/, '');
}

function fieldsOf(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${place} is no object.`);
  // A prototype of its own could bring names that no JSON has.
  return Object.assign(Object.create(null), value);
}

function listOf(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed(`${place} is no list, or empty.`);
  if (value.length > limits.conditions) throw malformed(`${place} is too long.`);
  return value;
}

function requireNone(rest: Readonly<Record<string, unknown>>, place: string): void {
  const [name] = Object.keys(rest);
  if (name !== undefined) throw malformed(`${place} has ${JSON.stringify(name.slice(0, 64))}, which is not known.`);
}

function malformed(detail: string): FastnessError {
  return new FastnessError('RELEASE_POLICY_MALFORMED', detail);
}
