import { readOnce } from '../means.ts';
import { corimError } from './fields.ts';
import { openWith, type OpenCorimOptions, type OpenedCorim } from './open.ts';
import { corimProfiles, type CorimProfile, type CorimSections } from './profiles/index.ts';
import { readCorim } from './read.ts';
import type { Corim } from './types.ts';

/** A manifest in the terms of a policy. */
export interface ImportedCorim extends OpenedCorim {
  /** Members to be put into the sections of a policy. They replace what the section says about the same; nothing is merged. */
  readonly sections: CorimSections;
}

/**
 * Turns a manifest into members of policy sections: attestation keys and reference states of PSA devices and CCA platforms,
 * measurements of realms, SEV-SNP guests, TDs and enclaves. Whoever puts them into a policy relies on the signer for what it
 * says, so pin the signers that may say it; an unsigned manifest is taken only with `unsigned: 'caller'`, as input that is
 * trusted as much as the policy itself. What a policy cannot express exactly is refused, never loosened.
 *
 * Throws what `openCorim` throws, CORIM_PROFILE_UNKNOWN and the CORIM_ codes of the profile.
 */
export async function importCorim(options: OpenCorimOptions): Promise<ImportedCorim> {
  const read = (bytes: Uint8Array): Corim => readCorim(bytes, (profile) => void knownProfile(profile));
  // A kind of its own, as manifests of other profiles are not read here.
  const opened = await openWith(options, (manifest) => readOnce('corim of a known profile', manifest, read, options));
  return Object.freeze({ ...opened, sections: sectionsOf(opened.corim) });
}

/** What was made of manifests that a cache keeps; nobody can change it. */
const mapped = new WeakMap<Corim, CorimSections>();

function sectionsOf(corim: Corim): CorimSections {
  const known = mapped.get(corim);
  if (known !== undefined) return known;
  const sections = deepFreeze(knownProfile(corim.profile).map(corim));
  mapped.set(corim, sections);
  return sections;
}

/** A manifest of an unknown profile must be refused as a whole (draft-ietf-rats-corim, section 4.1). */
function knownProfile(profile: string | undefined): CorimProfile {
  const known = corimProfiles.find((each) => each.profile === profile);
  if (known === undefined) throw corimError('CORIM_PROFILE_UNKNOWN', `Profile ${(profile ?? 'none').slice(0, 128)}.`);
  return known;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
