import type { FastnessClient, VerifiedEnclave } from '@fastness/client/portable';
import { ask, type Answer, type Message } from './ask.ts';
import { byId, el, saveFile, short } from './dom.ts';
import { asFastnessError, refusalDetails } from './refusal-view.ts';

/** A conversation with one enclave. */
export interface Chat {
  /** Ends it and clears the transcript. */
  readonly end: () => void;
}

const taskTexts = {
  generate: 'Ask the model',
  classify: 'A text to classify',
  embed: 'A text to embed',
} as const;

/**
 * Shows the conversation. Each answer gets its verified receipt to save; an answer that was not proved is marked and is not
 * part of what the model is told next.
 */
export function startChat(client: FastnessClient, current: () => VerifiedEnclave): Chat {
  const form = byId('ask', HTMLFormElement);
  const input = byId('message', HTMLTextAreaElement);
  const send = byId('send', HTMLButtonElement);
  const stop = byId('stop', HTMLButtonElement);
  const saveAll = byId('save-all', HTMLButtonElement);
  const log = byId('transcript', HTMLElement);
  const status = byId('chat-status', HTMLElement);
  const ended = new AbortController();
  const { signal: over } = ended;
  const conversation = client.conversation();
  const messages: Message[] = [];
  const answers: Answer[] = [];
  let running: AbortController | undefined;

  log.replaceChildren();
  saveAll.hidden = true;
  status.textContent = '';
  byId('message-label', HTMLLabelElement).textContent = taskTexts[current().release.manifest.task];

  const submit = async (): Promise<void> => {
    const content = input.value.trim();
    if (content === '' || running !== undefined) return;
    running = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    status.textContent = 'Sealed and sent. Waiting for the answer.';
    input.value = '';
    const text = el('p', { class: 'text' });
    const entry = el('li', { class: 'turn answer pending' }, el('span', { class: 'who' }, 'Model'), text);
    log.append(
      el('li', { class: 'turn question' }, el('span', { class: 'who' }, 'You'), el('p', { class: 'text' }, content)),
      entry,
    );
    entry.scrollIntoView({ block: 'nearest' });
    try {
      const question: Message = { role: 'user', content };
      const answer = await ask(conversation, {
        enclave: current(),
        messages: [...messages, question],
        signal: AbortSignal.any([running.signal, over]),
        onText: (so_far) => {
          text.textContent = so_far;
        },
      });
      text.textContent = answer.text;
      messages.push(question, { role: 'assistant', content: answer.text });
      answers.push(answer);
      entry.classList.replace('pending', 'proved');
      entry.append(receiptLine(answer, answers.length, current().simulated));
      saveAll.hidden = false;
      status.textContent = `Answer ${answers.length} is complete and its receipt verified.`;
    } catch (error) {
      entry.classList.replace('pending', 'unproved');
      const stopped = running.signal.aborted || over.aborted;
      entry.append(el('p', { class: 'mark' }, unprovedText(stopped, text.textContent !== '')));
      if (!stopped) entry.append(refusalDetails(error));
      status.textContent = stopped ? 'Stopped.' : `The answer was refused: ${asFastnessError(error).code}.`;
      input.value ||= content;
    } finally {
      entry.scrollIntoView({ block: 'nearest' });
      running = undefined;
      send.disabled = false;
      stop.hidden = true;
      if (!over.aborted) input.focus();
    }
  };

  form.addEventListener(
    'submit',
    (event) => {
      event.preventDefault();
      void submit();
    },
    { signal: over },
  );
  input.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    },
    { signal: over },
  );
  stop.addEventListener('click', () => running?.abort(), { signal: over });
  saveAll.addEventListener('click', () => saveFile('conversation.json', conversationText(answers)), { signal: over });
  return {
    end: () => {
      ended.abort();
      log.replaceChildren();
      status.textContent = '';
      saveAll.hidden = true;
    },
  };
}

function unprovedText(stopped: boolean, shown: boolean): string {
  if (!shown) return stopped ? 'Stopped before an answer came.' : 'No answer came.';
  return stopped ? 'Stopped. What is above was not proved.' : 'Not proved. Do not use what is above.';
}

function receiptLine(answer: Answer, number: number, simulated: boolean): HTMLElement {
  const { receipt } = answer;
  const button = el(
    'button',
    { type: 'button', class: 'quiet' },
    'Save receipt',
    el('span', { class: 'unseen' }, ` of answer ${number}`),
  );
  button.addEventListener('click', () =>
    saveFile(`answer-${number}.receipt.json`, `${JSON.stringify(receipt, null, 2)}\n`),
  );
  const fact = (label: string, value: string): HTMLElement =>
    el('div', {}, el('dt', {}, label), el('dd', { class: 'mono' }, value));
  return el(
    'div',
    { class: 'receipt' },
    el(
      'span',
      { class: simulated ? 'mark simulated' : 'mark' },
      simulated ? 'Receipt verified, SIMULATED' : 'Receipt verified',
    ),
    button,
    el(
      'details',
      {},
      el('summary', {}, 'What it binds'),
      el(
        'dl',
        { class: 'facts' },
        fact('Request', receipt.request.digest),
        fact('Response', receipt.response.digest),
        fact('Signed with', short(receipt.attestation.receiptKey)),
      ),
    ),
  );
}

/** Receipts of a conversation with what was said, in clear, so that both can be compared. */
function conversationText(answers: readonly Answer[]): string {
  const receipts = answers.map(({ receipt }) => receipt);
  const bodies = answers.map(({ request, response }) => ({ request, response }));
  return `${JSON.stringify({ format: 'fastness/conversation/v1', receipts, bodies }, null, 2)}\n`;
}
