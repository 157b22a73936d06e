import { JinjaTemplateChatWrapper, type ChatHistoryItem, type LlamaModel, type Token } from 'node-llama-cpp';
import type { ChatMessage } from './engine.ts';

/** Turns messages into tokens by the chat template that the model file itself carries. */
export interface ChatPrompt {
  tokens(messages: readonly ChatMessage[]): Token[];
  /** Tokens that end an answer besides the model's own end tokens. */
  readonly stopTokens: ReadonlySet<Token>;
  /** Texts that end an answer where the template's end marker is not a single token. */
  readonly stopTexts: readonly string[];
}

/**
 * Undefined when the model file has no chat template. What users write is tokenised as plain text, so a message cannot
 * forge the template's markers.
 */
export function chatPromptOf(model: LlamaModel): ChatPrompt | undefined {
  const template = model.fileInfo.metadata.tokenizer.chat_template;
  if (template === undefined || template === '') return undefined;
  const wrapper = new JinjaTemplateChatWrapper({ template, tokenizer: model.tokenizer });
  const stopTokens = new Set<Token>();
  const stopTexts: string[] = [];
  const state = wrapper.generateContextState({ chatHistory: historyOf([{ role: 'user', content: 'a' }]) });
  for (const trigger of state.stopGenerationTriggers) {
    const tokens = trigger.tokenize(model.tokenizer);
    const [only] = tokens;
    if (tokens.length === 1 && only !== undefined) stopTokens.add(only);
    else if (tokens.length > 1) stopTexts.push(trigger.toString());
  }
  return {
    tokens: (messages) =>
      withBeginning(
        model,
        wrapper.generateContextState({ chatHistory: historyOf(messages) }).contextText.tokenize(model.tokenizer),
      ),
    stopTokens,
    stopTexts: stopTexts.filter((text) => text !== ''),
  };
}

/** Puts the beginning-of-text token in front where the model wants one and the template has not. */
export function withBeginning(model: LlamaModel, tokens: Token[]): Token[] {
  const { bos, shouldPrependBosToken } = model.tokens;
  return bos !== null && shouldPrependBosToken && tokens[0] !== bos ? [bos, ...tokens] : tokens;
}

/** Templates for tools are not rendered here; who asks for them was refused before. */
const itemOf: Readonly<Record<Exclude<ChatMessage['role'], 'tool'>, (content: string) => ChatHistoryItem>> =
  Object.freeze({
    system: (text) => ({ type: 'system', text }),
    user: (text) => ({ type: 'user', text }),
    assistant: (text) => ({ type: 'model', response: [text] }),
  });

/** The empty last turn is the model's to write. */
function historyOf(messages: readonly ChatMessage[]): ChatHistoryItem[] {
  return [
    ...messages.flatMap(({ role, content }) => (role === 'tool' ? [] : [itemOf[role](content)])),
    { type: 'model', response: [] },
  ];
}
