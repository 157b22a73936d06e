import type { ErrorFacts } from './class.ts';

const theirs = 'Look at the address in the detail: a proxy, a captive portal or an impostor may answer in its place.';

/**
 * Codes of `evidence/endorsements`: fetching, caching and carrying endorsements. A service that cannot be reached, one that
 * says there is nothing, and one whose answer is wrong are three outcomes.
 */
export const endorsementErrors = Object.freeze({
  ENDORSEMENT_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The service that hands out the endorsement cannot be reached or does not work.',
    next: 'Try again later, name a caching service (PCCS, mirror) that is reachable, or bring an offline bundle.',
  },
  ENDORSEMENT_TIMEOUT: {
    class: 'unavailable',
    message: 'The service that hands out the endorsement did not answer in time.',
    next: 'Try again later; raise the time limit only if the service is known to be slow.',
  },
  ENDORSEMENT_RATE_LIMITED: {
    class: 'limit',
    message: 'The service that hands out the endorsement asks to be called less often.',
    next: 'Wait for as long as the detail says; keep a cache directory, so that each answer is asked for once.',
  },
  ENDORSEMENT_NOT_FOUND: {
    class: 'unavailable',
    message: 'The service says that it has no such endorsement.',
    next: 'Check that the platform is registered with the vendor, and that its firmware is one the vendor has published.',
  },
  ENDORSEMENT_REFUSED: {
    class: 'unauthorized',
    message: 'The service refuses to hand out the endorsement to this caller.',
    next: 'Check the subscription or the credential that the service asks for.',
  },
  ENDORSEMENT_OFFLINE: {
    class: 'unavailable',
    message: 'An endorsement is needed that neither the cache nor the bundle has, and the network may not be used.',
    next: 'Import a bundle that holds it: `fastness endorsements bundle` on a machine with access, then `import` here.',
  },
  ENDORSEMENT_URL: {
    class: 'usage',
    message: 'The address may not be fetched from.',
    next: 'Use an https address without credentials in it; plain http is for this machine only.',
  },
  ENDORSEMENT_REDIRECTED: {
    class: 'invalid',
    message: 'The service redirects to another origin.',
    next: theirs,
  },
  ENDORSEMENT_TOO_LARGE: {
    class: 'invalid',
    message: 'The answer of the service is larger than any endorsement of its kind.',
    next: theirs,
  },
  ENDORSEMENT_RESPONSE: {
    class: 'invalid',
    message: 'The answer of the service is not of the form that the service promises.',
    next: theirs,
  },
  ENDORSEMENT_UNAUTHENTIC: {
    class: 'invalid',
    message: 'No pinned root vouches for the endorsement.',
    next: 'Do not use it. If it came over the network, look who answers there; if from a bundle or cache, fetch it anew.',
  },
  ENDORSEMENT_MISMATCH: {
    class: 'invalid',
    message: 'The endorsement is authentic and for something else than was asked for.',
    next: 'Fetch it again from the vendor; if it persists, report it to whoever runs the service.',
  },
  ENDORSEMENT_STALE: {
    class: 'invalid',
    message: 'The endorsement is authentic and outside its own period of validity.',
    next: 'Check the clock of this machine; a caching service that serves old answers must refresh them.',
  },
  ENDORSEMENT_ROLLED_BACK: {
    class: 'invalid',
    message: 'The endorsement is older than one of the same kind that was seen here before.',
    next: 'Refresh the service, cache or bundle that served it: someone may be hiding a revocation.',
  },
  ENDORSEMENT_NONCE: {
    class: 'invalid',
    message: 'The answer does not carry the nonce of the request.',
    next: 'Ask again; a responder that leaves the nonce out cannot show that its answer is new.',
  },
  ENDORSEMENT_UNSIGNED: {
    class: 'invalid',
    message: 'The document carries no signature, so only the connection it came over can vouch for it.',
    next: 'Fetch it over TLS from its vendor, or pin its content; it cannot travel in a bundle or a cache without a key.',
  },
  ENDORSEMENT_EVIDENCE: {
    class: 'not-mine',
    message: 'The evidence does not say which endorsements it needs.',
    next: 'See the detail; name what is missing, for instance the product, or send the endorsements along.',
  },
  ENDORSEMENT_SUBJECT_UNKNOWN: {
    class: 'not-mine',
    message: 'The name of an endorsement is none that this version knows.',
    next: 'Use the same version of Fastness on both sides.',
  },
  ENDORSEMENT_CACHE_UNSAFE: {
    class: 'conflict',
    message: 'The cache directory belongs to someone else, or others may write to it.',
    next: 'Give it to the user that runs this process and take the rights of others away (chmod 700).',
  },
  ENDORSEMENT_CACHE_FAILED: {
    class: 'unavailable',
    message: 'The cache directory cannot be used.',
    next: 'Check that it exists, has room and may be written by this user; or run without a cache.',
  },
  ENDORSEMENT_BUNDLE_MALFORMED: {
    class: 'invalid',
    message: 'The bundle of endorsements does not follow its format.',
    next: 'Copy the file again; if it persists, make the bundle anew.',
  },
  ENDORSEMENT_BUNDLE_UNKNOWN: {
    class: 'not-mine',
    message: 'The file is not a bundle of endorsements of a known version.',
    next: 'Check the file; make the bundle with the version of Fastness that reads it.',
  },
} as const satisfies Record<string, ErrorFacts>);
