import type { GenerateOptions, GenerationItem } from './engine.ts';
import { StopMatcher } from './stop-matcher.ts';
import { TokenText, type Detokenize } from './token-text.ts';

type Delta = Extract<GenerationItem, { kind: 'delta' }>;

/** Gathers tokens into deltas of a fixed number of tokens and ends at stop sequences. */
export class DeltaBuffer<Token> {
  readonly #tokens: TokenText<Token>;
  readonly #stops: StopMatcher;
  readonly #tokensPerDelta: number;
  readonly #maxDelayMs: number;
  /** With stop sequences every token is turned into text as it comes; without, a delta at a time. */
  readonly #eager: boolean;
  #text = '';
  #count = 0;
  #since = 0;
  #stopped = false;

  constructor(
    detokenize: Detokenize<Token>,
    stops: readonly string[],
    options: Pick<GenerateOptions, 'tokensPerDelta' | 'maxDelayMs'>,
  ) {
    this.#tokens = new TokenText(detokenize);
    this.#stops = new StopMatcher(stops);
    this.#eager = stops.length > 0;
    this.#tokensPerDelta = options.tokensPerDelta;
    this.#maxDelayMs = options.maxDelayMs;
  }

  /** True once a stop sequence was met; then only `finish` may follow. */
  get stopped(): boolean {
    return this.#stopped;
  }

  add(token: Token): void {
    this.#tokens.add(token);
    if (this.#count++ === 0) this.#since = performance.now();
    if (!this.#eager) return;
    const { text, stopped } = this.#stops.push(this.#tokens.take());
    this.#text += text;
    this.#stopped = stopped;
  }

  /** A delta when enough tokens or time have gathered. */
  take(): Delta | undefined {
    if (this.#count < this.#tokensPerDelta && performance.now() - this.#since < this.#maxDelayMs) return undefined;
    if (!this.#eager) this.#text = this.#tokens.take();
    return this.#delta();
  }

  /** What is left at the end, if anything. */
  finish(): Delta | undefined {
    if (!this.#eager) this.#text = this.#tokens.take(true);
    else if (!this.#stopped) {
      const { text, stopped } = this.#stops.push(this.#tokens.take(true));
      this.#text += text + (stopped ? '' : this.#stops.flush());
      this.#stopped = stopped;
    }
    return this.#count === 0 && this.#text === '' ? undefined : this.#delta();
  }

  #delta(): Delta {
    const delta: Delta = { kind: 'delta', text: this.#text, tokens: this.#count };
    this.#text = '';
    this.#count = 0;
    return delta;
  }
}
