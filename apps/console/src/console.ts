import type { TrustAnchors } from '@fastness/attest';
import { createClient, type FastnessClient, type VerifiedEnclave } from '@fastness/client/portable';
import { startChat, type Chat } from './chat-view.ts';
import { byId, el } from './dom.ts';
import { sessionSeconds } from './facts.ts';
import { wantedOf } from './fragment.ts';
import { pinnedTo, policyFrom, policyFacts, type LoadedPolicy } from './policy-input.ts';
import { asFastnessError } from './refusal-view.ts';
import { showAccepted, showRefused, showWorking } from './verdict-view.ts';

export interface ConsoleOptions {
  /** Roots of the vendors. Default: theirs, pinned in this page. */
  readonly anchors?: TrustAnchors;
}

/** Wires the page. Everything it knows came from whoever uses it (address, policy, fingerprint) or was verified. */
export function startConsole({ anchors }: ConsoleOptions = {}): void {
  const address = byId('address', HTMLInputElement);
  const file = byId('policy-file', HTMLInputElement);
  const pasted = byId('policy-text', HTMLTextAreaElement);
  const fingerprint = byId('fingerprint', HTMLInputElement);
  const apiKey = byId('api-key', HTMLInputElement);
  const summary = byId('policy-summary', HTMLElement);
  const setup = byId('setup', HTMLDetailsElement);
  const button = byId('verify', HTMLButtonElement);
  const title = byId('setup-title', HTMLElement);
  const untouched = title.textContent;
  let loaded: LoadedPolicy | undefined;
  let chat: Chat | undefined;
  let turn = 0;

  let loading = 0;
  const load = async (text: string, origin: string): Promise<void> => {
    loading += 1;
    const mine = loading;
    try {
      const read = await policyFrom(text, origin);
      if (mine !== loading) return;
      loaded = read;
      summary.className = 'hint';
      summary.replaceChildren(
        el(
          'dl',
          { class: 'facts' },
          ...policyFacts(read).map(([label, value]) => el('div', {}, el('dt', {}, label), el('dd', {}, value))),
        ),
      );
    } catch (error) {
      if (mine !== loading) return;
      loaded = undefined;
      const { code, message, next } = asFastnessError(error);
      summary.textContent = `${message} ${next} (${code})`;
      summary.className = 'hint wrong';
    }
  };

  const verify = async (): Promise<void> => {
    turn += 1;
    const mine = turn;
    chat?.end();
    chat = undefined;
    if (loaded === undefined) {
      setup.open = true;
      if (summary.childElementCount === 0 && summary.textContent === '')
        summary.textContent = 'Choose a policy first: without one, nothing can be accepted.';
      summary.className = 'hint wrong';
      file.focus();
      return;
    }
    const url = address.value.trim();
    let used: LoadedPolicy;
    try {
      used = pinnedTo(loaded, fingerprint.value);
    } catch (error) {
      title.textContent = untouched;
      setup.open = true;
      showRefused(error);
      return;
    }
    const { policy } = used;
    const key = apiKey.value.trim();
    showWorking(url);
    title.textContent = untouched;
    button.disabled = true;
    try {
      let latest: VerifiedEnclave | undefined;
      const client: FastnessClient = createClient({
        url,
        policy,
        sessionSeconds,
        ...(anchors === undefined ? {} : { anchors }),
        ...(key === '' ? {} : { apiKey: key }),
        onEvent: (event) => {
          if (event.type !== 'verified' || mine !== turn) return;
          const first = latest === undefined;
          latest = event.enclave;
          if (!first) showAccepted(event.enclave, used, false);
        },
      });
      const enclave = await client.verify();
      if (mine !== turn) return;
      showAccepted(enclave, used, true);
      setup.open = false;
      title.textContent = `Enclave at ${url}`;
      chat = startChat(client, () => latest ?? enclave);
    } catch (error) {
      if (mine === turn) showRefused(error);
    } finally {
      button.disabled = false;
    }
  };

  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) void chosen.text().then((text) => load(text, `is the file ${chosen.name}`));
  });
  pasted.addEventListener('input', () => void load(pasted.value, 'was pasted'));
  byId('connect', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void verify();
  });

  // Read once: a page that opened this one could change the fragment later, and with it what is accepted.
  const wanted = wantedOf(location.hash);
  if (wanted.enclave !== undefined) address.value = wanted.enclave;
  if (wanted.policy !== undefined) {
    void load(wanted.policy, 'came with the link that opened this page: whoever made the link chose what is accepted');
  }
}
