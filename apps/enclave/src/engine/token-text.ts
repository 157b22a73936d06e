/** Turns tokens into text; `before` are the tokens just ahead of them, for tokenisers that join words by spaces. */
export type Detokenize<Token> = (tokens: readonly Token[], before: readonly Token[]) => string;

/** A character takes at most four bytes, so at most four byte tokens. */
const MAX_HELD_TOKENS = 4;

/**
 * Text of a growing list of tokens without detokenising it from the start: only tokens not yet handed on, and the one
 * before them, are looked at. Tokens that end inside a character are kept until the character is whole.
 */
export class TokenText<Token> {
  readonly #detokenize: Detokenize<Token>;
  readonly #pending: Token[] = [];
  #before: readonly Token[] = [];

  constructor(detokenize: Detokenize<Token>) {
    this.#detokenize = detokenize;
  }

  add(token: Token): void {
    this.#pending.push(token);
  }

  /** The text of what was added since the last call; `final` hands on a broken character as U+FFFD. */
  take(final = false): string {
    if (this.#pending.length === 0) return '';
    let count = this.#pending.length;
    let text = this.#detokenize(this.#pending, this.#before);
    const oldest = final ? count : Math.max(0, count - MAX_HELD_TOKENS);
    while (text.endsWith('\uFFFD') && count > oldest) {
      count--;
      text = count === 0 ? '' : this.#detokenize(this.#pending.slice(0, count), this.#before);
    }
    if (count === 0) return '';
    const taken = this.#pending.splice(0, count);
    this.#before = taken.slice(-1);
    return text;
  }
}
