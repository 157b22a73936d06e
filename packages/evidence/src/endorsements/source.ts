import type { TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import type { EndorsementCache } from './cache/cache.ts';
import { newer, NotFound, requireCurrent } from './freshness.ts';
import { createHttpClient, type HttpOptions } from './http/client.ts';
import { withoutQuery } from './http/url.ts';
import { vendorServices, type EndorsementServices } from './services.ts';
import type { Endorsement, EndorsementItem, EndorsementRequest, Judgement } from './types.ts';

export interface EndorsementSourceOptions {
  /** The roots that endorsements must end in: those of the verifier. */
  readonly anchors: TrustAnchors;
  /** Addresses that take the place of the vendors' own. */
  readonly services?: Partial<EndorsementServices>;
  readonly http?: HttpOptions;
  /** Absent: nothing is kept beyond the life of this object, nor remembered. */
  readonly cache?: EndorsementCache;
  /** Items that were brought along, for instance of a bundle. They are judged like any other. */
  readonly items?: readonly EndorsementItem[];
  /** Never use the network. */
  readonly offline?: boolean;
  /** Default: the time of this machine. */
  readonly now?: () => Date;
}

/** Where endorsements come from: bundle, cache and network behind one question. */
export interface EndorsementSource {
  /** The roots that everything from here ends in. */
  readonly anchors: TrustAnchors;
  /**
   * One endorsement: authentic, within its period of validity, and not older than any seen here before. A copy from bundle
   * or cache is judged exactly like one from the network. Callers that ask for the same at the same time share one request.
   * @throws ENDORSEMENT_... and the reason of `signal` when it is raised
   */
  get(request: EndorsementRequest, signal?: AbortSignal): Promise<Endorsement>;
  /** As `get`, but without the network; undefined when neither cache nor bundle has it. */
  stored(request: EndorsementRequest): Promise<Endorsement | undefined>;
  /** Judges an item and keeps it, as `import` of a bundle does. */
  put(request: EndorsementRequest, item: EndorsementItem): Promise<Endorsement>;
}

export function createEndorsementSource(options: EndorsementSourceOptions): EndorsementSource {
  const { anchors, cache, items = [], offline = false, now = () => new Date() } = options;
  const services: EndorsementServices = Object.freeze({ ...vendorServices, ...options.services });
  const http = createHttpClient({ now, ...options.http });
  const inProgress = new Map<string, Promise<Endorsement>>();
  const notFound = new NotFound();

  /** The one judgement that every copy goes through. */
  const judge = async (request: EndorsementRequest, item: EndorsementItem): Promise<Judgement> => {
    if (item.subject !== request.subject || item.mediaType !== request.mediaType) {
      throw new FastnessError('ENDORSEMENT_MISMATCH', `${item.subject} instead of ${request.subject}.`);
    }
    const judgement = await request.judge(item, { anchors });
    requireCurrent(request.subject, judgement, now());
    if (!request.replaceable) await cache?.marks.check(request.subject, judgement);
    return judgement;
  };

  const keep = async (request: EndorsementRequest, item: EndorsementItem, judgement: Judgement): Promise<void> => {
    if (cache === undefined) return;
    // The entry first: whoever is refused an older copy because of the mark finds the newer one. Nobody has seen it before both.
    if (request.signed || cache.keyed) await cache.write(item);
    if (!request.replaceable) await cache.marks.raise(request.subject, judgement);
  };

  const fromCache = async (request: EndorsementRequest): Promise<Endorsement | undefined> => {
    if (cache === undefined || !(request.signed || cache.keyed)) return undefined;
    const item = await cache.read(request.subject);
    if (item === undefined) return undefined;
    try {
      return { item, judgement: await judge(request, item), from: 'cache', signed: request.signed };
    } catch (error) {
      if (!(error instanceof FastnessError) || error.code === 'ENDORSEMENT_CACHE_FAILED') throw error;
      // Forged, expired or put back: not worth keeping, and the network may have better.
      await cache.drop(request.subject);
      return undefined;
    }
  };

  const fromItems = async (request: EndorsementRequest): Promise<Endorsement | undefined> => {
    const item = items.find(({ subject }) => subject === request.subject);
    if (item === undefined || !request.signed) return undefined;
    const judgement = await judge(request, item);
    await keep(request, item, judgement);
    return { item, judgement, from: 'bundle', signed: true };
  };

  const fromNetwork = async (request: EndorsementRequest, signal?: AbortSignal): Promise<Endorsement> => {
    notFound.refuse(request.subject, now().getTime());
    const url = request.url(services);
    try {
      const answer = await http.send(
        {
          url,
          maxBytes: request.maxBytes,
          ...(request.method === undefined ? {} : { method: request.method }),
          ...(request.headers === undefined ? {} : { headers: request.headers }),
          ...(request.body === undefined ? {} : { body: request.body }),
          ...(request.plainHost === undefined ? {} : { plainHost: request.plainHost }),
        },
        signal,
      );
      const { subject, mediaType } = request;
      const item = Object.freeze({
        subject,
        mediaType,
        source: withoutQuery(url),
        fetchedAt: now(),
        ...request.receive(answer),
      });
      const judgement = await judge(request, item);
      await keep(request, item, judgement);
      return { item, judgement, from: 'network', signed: request.signed };
    } catch (error) {
      if (error instanceof FastnessError && error.code === 'ENDORSEMENT_NOT_FOUND') {
        notFound.remember(request.subject, now().getTime());
      }
      throw error;
    }
  };

  const find = async (request: EndorsementRequest, signal?: AbortSignal): Promise<Endorsement> => {
    const kept = await fromCache(request);
    const age = kept === undefined ? Number.NaN : now().getTime() - kept.item.fetchedAt.getTime();
    // A time of fetching in the future would keep a copy from ever being refreshed.
    if (kept !== undefined && age >= 0 && age < request.refreshAfterMs) return kept;
    let brought: Endorsement | undefined;
    let fault: unknown;
    try {
      brought = await fromItems(request);
    } catch (error) {
      fault = error;
    }
    if (offline) {
      const best = request.signed ? newer(kept, brought) : undefined;
      if (best !== undefined) return best;
      throw fault ?? new FastnessError('ENDORSEMENT_OFFLINE', `${request.subject}.`);
    }
    if (brought !== undefined && kept === undefined) return brought;
    try {
      return await fromNetwork(request, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // What no vendor signed is as good as the connection it came over, and for no longer than it is fresh.
      if (!request.signed || !(error instanceof FastnessError)) throw error;
      // Another process may have kept a newer copy meanwhile, which this answer is older than.
      const best = newer(await fromCache(request), brought);
      if (best === undefined) throw error;
      return { ...best, refreshFailed: error.code };
    }
  };

  return Object.freeze<EndorsementSource>({
    anchors,
    async get(request, signal) {
      signal?.throwIfAborted();
      // With a signal of its own a caller must not end what others wait for, so it shares with none.
      if (signal !== undefined) return find(request, signal);
      const running = inProgress.get(request.subject);
      if (running !== undefined) return running;
      const started = find(request).finally(() => inProgress.delete(request.subject));
      inProgress.set(request.subject, started);
      return started;
    },
    async stored(request) {
      const kept = await fromCache(request);
      try {
        return newer(kept, await fromItems(request));
      } catch (error) {
        if (!(error instanceof FastnessError)) throw error;
        return kept;
      }
    },
    async put(request, item) {
      if (!request.signed) throw new FastnessError('ENDORSEMENT_UNSIGNED', `${request.subject}.`);
      const judgement = await judge(request, item);
      await keep(request, item, judgement);
      return { item, judgement, from: 'bundle', signed: true };
    },
  });
}
