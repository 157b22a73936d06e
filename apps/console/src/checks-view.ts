import type { CheckRecord } from '@fastness/attest';
import { errorRegistry } from '@fastness/codec/errors';
import { el, short } from './dom.ts';

const outcomes = { passed: 'passed', waived: 'WAIVED', 'not-applicable': 'does not apply' } as const;

/** Every check with its meaning: the sentence that would have been the reason for a refusal. */
export function checksTable(checks: readonly CheckRecord[]): HTMLElement {
  const rows = checks.map(({ code, outcome, expected, actual, part }) =>
    el(
      'tr',
      { 'data-outcome': outcome },
      el('td', {}, el('span', { class: `pill ${outcome}` }, outcomes[outcome])),
      el(
        'td',
        {},
        `${part === undefined ? '' : `${part}: `}${errorRegistry[code].message}`,
        el('code', { class: 'code' }, code),
      ),
      el('td', { class: 'mono' }, valueView(expected)),
      el('td', { class: 'mono' }, valueView(actual)),
    ),
  );
  const head = ['Outcome', 'Would be refused if', 'Expected', 'Found'].map((text) => el('th', { scope: 'col' }, text));
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Checks' },
    el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows)),
  );
}

/** Digests and the like stay short until somebody asks. */
function valueView(text: string): HTMLElement | string {
  return text.length <= 72 ? text : el('details', { class: 'whole' }, el('summary', {}, short(text)), text);
}
