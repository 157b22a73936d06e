import type { TrafficProfileName } from '@fastness/model/release';

/** What an observer of the ciphertext gets to see instead of the engine's own sizes and times. */
export interface TrafficShape {
  /** Bytes of every frame of a stream. */
  readonly frameBytes: number;
  /** Milliseconds from one frame to the next. */
  readonly frameMs: number;
  /** An answer begins a multiple of so many milliseconds after its request. */
  readonly startMs: number;
  /** Frames of the shortest stream; whole answers are padded to the same number of bytes. */
  readonly leastFrames: number;
  /** How many numbers of frames a stream may have between a power of two and the next. */
  readonly stepsPerDoubling: number;
  /**
   * A stream has a frame at least for so many tokens that its request allows, whatever the answer: then its length says what
   * was allowed, and not what was answered. Undefined: it says the answer's, rounded.
   */
  readonly tokensPerFrame?: number;
}

/** What a request without a limit of its own counts as having: streams of longer answers are rounded as they end. */
const unstatedTokens = 256;

/**
 * The profiles are code, so they are measured. A configuration may slow the pace of one down and nothing else: a host that
 * writes it cannot make an answer tell more.
 *
 * Why these figures: a frame of `strict` holds 300 characters of text beside the members that every event repeats, so 50 ms
 * carry more than 1500 tokens a second. An engine that is slower fills what is left with nothing, one that is faster waits. A
 * frame for 8 tokens that are allowed is 64 bytes a token, where an event for each token costs about 230; it fits engines that
 * make 160 tokens a second for each reader, and slower ones with a slower pace.
 */
const shapes: Readonly<Record<Exclude<TrafficProfileName, 'off'>, TrafficShape>> = Object.freeze({
  balanced: Object.freeze({ frameBytes: 1024, frameMs: 25, startMs: 25, leastFrames: 2, stepsPerDoubling: 4 }),
  strict: Object.freeze({
    frameBytes: 512,
    frameMs: 50,
    startMs: 200,
    leastFrames: 8,
    stepsPerDoubling: 1,
    tokensPerFrame: 8,
  }),
});

/** The shape of a profile, undefined for `off`. `frameMs` counts where it is longer than the profile's own. */
export function shapeOf(profile: TrafficProfileName, frameMs?: number): TrafficShape | undefined {
  if (profile === 'off') return undefined;
  const shape = shapes[profile];
  return frameMs === undefined || frameMs <= shape.frameMs ? shape : { ...shape, frameMs };
}

/**
 * The number of frames that the stream of a request has at least: decided before the first token.
 * @param maxTokens what the request allows; undefined where it does not say
 */
export function leastFramesFor(shape: TrafficShape, maxTokens: number | undefined): number {
  if (shape.tokensPerFrame === undefined) return shape.leastFrames;
  return roundedFrames(Math.ceil((maxTokens ?? unstatedTokens) / shape.tokensPerFrame), shape);
}

/** The number of frames that a stream of `frames` is rounded up to. */
export function roundedFrames(frames: number, { leastFrames, stepsPerDoubling }: TrafficShape): number {
  if (frames <= leastFrames) return leastFrames;
  const power = 2 ** Math.floor(Math.log2(frames));
  const step = Math.max(1, power / stepsPerDoubling);
  return Math.ceil(frames / step) * step;
}
