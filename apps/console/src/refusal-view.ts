import { checksOf } from '@fastness/attest';
import { actionFor, fastnessErrorIn, type ClientAction } from '@fastness/client/portable';
import { FastnessError } from '@fastness/codec/errors';
import { checksTable } from './checks-view.ts';
import { el } from './dom.ts';

const actionTexts: Readonly<Record<ClientAction, string>> = Object.freeze({
  'do-not-trust': 'Do not trust it: nothing was proved, or the opposite.',
  'review-policy': 'It is genuine, and your policy refuses it: ask the owner, or change the policy.',
  'send-again': 'Verify again and send again.',
  'try-later': 'Nothing is proved for now: send nothing. Try again later.',
  'fix-call': 'Correct what was entered.',
  'fix-credential': 'A credential is missing or wrong.',
  report: 'This is a fault of Fastness. Please report it.',
});

/** Any failure as an error of the registry; what is none is a fault of ours. */
export function asFastnessError(error: unknown): FastnessError {
  const detail = error instanceof Error ? error.message : undefined;
  return fastnessErrorIn(error) ?? new FastnessError('CLIENT_UNEXPECTED', detail, { cause: error });
}

/** What was refused: code, meaning, what to do, and how far the verification got. */
export function refusalDetails(thrown: unknown): HTMLElement {
  const error = asFastnessError(thrown);
  const reached = checksOf(thrown);
  const row = (label: string, value: Node | string): HTMLElement =>
    el('div', {}, el('dt', {}, label), el('dd', {}, value));
  const compared = reached?.failed;
  return el(
    'div',
    { class: 'refusal' },
    el(
      'dl',
      { class: 'facts' },
      row('Reason', error.message),
      row('What it means for you', actionTexts[actionFor(error)]),
      row('What to do', error.next),
      row('Code', el('code', {}, error.code)),
      ...(compared === undefined
        ? []
        : [
            row('Expected', el('span', { class: 'mono' }, compared.expected)),
            row('Found', el('span', { class: 'mono' }, compared.actual)),
          ]),
    ),
    reached === undefined || reached.before.length === 0
      ? undefined
      : el(
          'details',
          {},
          el('summary', {}, `${reached.before.length} checks ran before this one, and prove nothing by themselves`),
          checksTable(reached.before),
        ),
  );
}
