import { machineOf, type VerifiedEnclave } from '@fastness/client/portable';
import { checksTable } from './checks-view.ts';
import { byId, el, short } from './dom.ts';
import { cardsOf, classText, limitsOf, type Card, type Fact } from './facts.ts';
import type { LoadedPolicy } from './policy-input.ts';
import { asFastnessError, refusalDetails } from './refusal-view.ts';

type Tone = 'accepted' | 'simulated' | 'refused' | 'working';

const marks: Readonly<Record<Tone, string>> = Object.freeze({
  accepted: '✓',
  simulated: '!',
  refused: '✕',
  working: '…',
});

function banner(tone: Tone, title: string, ...lines: (HTMLElement | string)[]): HTMLElement {
  return el(
    'div',
    { class: `banner ${tone}`, 'data-tone': tone },
    el('span', { class: 'mark', 'aria-hidden': 'true' }, marks[tone]),
    el(
      'div',
      {},
      el('h2', { tabindex: '-1' }, title),
      ...lines.map((line) => (typeof line === 'string' ? el('p', {}, line) : line)),
    ),
  );
}

/** Puts the verdict where it is announced, and the focus onto it. */
function show(content: HTMLElement, focus: boolean): void {
  byId('verdict', HTMLElement).replaceChildren(content);
  if (focus) content.querySelector('h2')?.focus();
}

export function showWorking(address: string): void {
  show(
    banner(
      'working',
      'Verifying',
      `Asking ${address} for evidence over a fresh nonce. Nothing is sent before it verifies.`,
    ),
    false,
  );
  byId('evidence', HTMLElement).hidden = true;
  byId('checks', HTMLElement).hidden = true;
  byId('chat', HTMLElement).hidden = true;
}

/** @param focus false when a verification that ran by itself is shown */
export function showAccepted(enclave: VerifiedEnclave, loaded: LoadedPolicy, focus: boolean): void {
  const { release, approvedBy } = enclave.release;
  const what = `${release.modelId} version ${release.version}, approved by ${approvedBy.join(' and ')}`;
  const waived = enclave.verdict.waivers.length;
  show(
    enclave.simulated
      ? banner(
          'simulated',
          'SIMULATED: no hardware protects anything',
          'The chain verifies, as a demonstration. Send nothing that is secret: whoever runs the machine can read it.',
          `${machineOf(enclave.verdict)}, running ${what}. Class: ${classText(enclave)}.`,
        )
      : banner(
          'accepted',
          waived === 0 ? 'Verified' : `Verified, with ${waived} ${waived === 1 ? 'check' : 'checks'} waived`,
          `${machineOf(enclave.verdict)}, running ${what}.`,
          `Class: ${classText(enclave)}.`,
        ),
    focus,
  );
  byId('cards', HTMLElement).replaceChildren(
    ...cardsOf(enclave, loaded).map(cardView),
    ...(waived === 0 ? [] : [waiversView(enclave)]),
    el(
      'section',
      { class: 'card limits' },
      el('h3', {}, 'What this does not protect'),
      el('ul', {}, ...limitsOf(enclave).map((text) => el('li', {}, text))),
    ),
  );
  byId('checks', HTMLElement).replaceChildren(
    el(
      'details',
      { class: 'card' },
      el('summary', {}, `All ${enclave.checks.length} checks and what they mean`),
      checksTable(enclave.checks),
    ),
  );
  byId('checks', HTMLElement).hidden = false;
  byId('evidence', HTMLElement).hidden = false;
  byId('chat', HTMLElement).hidden = false;
  byId('chat-simulated', HTMLElement).hidden = !enclave.simulated;
}

export function showRefused(error: unknown): void {
  const known = asFastnessError(error);
  const unclear = known.class === 'unavailable' || known.class === 'limit';
  const wrongInput = known.class === 'usage';
  show(
    banner(
      'refused',
      wrongInput ? 'Not checked' : unclear ? 'Refused: it could not be verified' : 'Refused',
      'No prompt was sent to it.',
      refusalDetails(error),
    ),
    true,
  );
  byId('evidence', HTMLElement).hidden = true;
  byId('checks', HTMLElement).hidden = true;
  byId('chat', HTMLElement).hidden = true;
}

function cardView({ title, facts }: Card): HTMLElement {
  return el('section', { class: 'card' }, el('h3', {}, title), el('dl', { class: 'facts' }, ...facts.map(factView)));
}

function factView({ label, value, mono }: Fact): HTMLElement {
  const shown =
    mono === true && short(value) !== value
      ? el(
          'details',
          { class: 'whole' },
          el('summary', { class: 'mono' }, short(value)),
          el('span', { class: 'mono' }, value),
        )
      : el('span', mono === true ? { class: 'mono' } : {}, value);
  return el('div', {}, el('dt', {}, label), el('dd', {}, shown));
}

function waiversView({ verdict }: VerifiedEnclave): HTMLElement {
  return el(
    'section',
    { class: 'card limits' },
    el('h3', {}, 'Waived by the policy'),
    el(
      'ul',
      {},
      ...verdict.waivers.map(({ check, reason, expected, actual }) =>
        el('li', {}, el('code', {}, check), ` ${reason}. Expected ${expected}; found ${actual}.`),
      ),
    ),
  );
}
