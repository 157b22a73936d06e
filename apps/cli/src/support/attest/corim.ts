import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importCorim } from '@fastness/attest/corim';
import { fromBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { isObject } from './is-object.ts';

/** Members of a section that came out of a CoRIM file. */
export interface CorimImport {
  readonly path: string;
  /** The section that they went to, and the members that the manifest filled. */
  readonly section: string;
  readonly members: readonly string[];
  /** SHA-256 of the key that signed the manifest, hex; `caller`: nobody signed it, and whoever wrote the policy vouches. */
  readonly endorser: string;
}

/** What a section says in its member `corim`: one manifest or several. */
export const corimImportSchema = z
  .strictObject({
    file: z.string().min(1).max(4096).describe("The manifest; a relative path counts from the policy's folder."),
    signers: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{40,800}$/, 'expected SubjectPublicKeyInfo DER in base64url'))
      .min(1)
      .max(16)
      .exactOptional()
      .describe('Keys, one of which must have signed the manifest: SubjectPublicKeyInfo, DER, base64url.'),
    unsigned: z
      .literal(true)
      .exactOptional()
      .describe(
        'Takes a manifest that nobody signed: whoever writes the policy vouches for the file. Absent: refused.',
      ),
  })
  .refine(
    ({ signers, unsigned }) => (signers === undefined) !== (unsigned === undefined),
    'give signers or unsigned: true',
  )
  .describe('Reference values from a CoRIM. Every member that it fills must be absent from the section.');
const importsSchema = z.union([corimImportSchema, z.array(corimImportSchema).min(1).max(16)]);

const maxBytes = 1024 * 1024;

/**
 * Replaces the member `corim` of every section of a policy by what the manifests say. Nothing is merged: a member that both
 * the section and a manifest give, or two manifests, is refused. Throws CLI_CORIM_IMPORT, CLI_FILE_UNREADABLE and the codes
 * of CoRIM.
 */
export async function resolveCorim(
  value: unknown,
  options: { readonly folder: string; readonly now: Date },
): Promise<{ readonly value: unknown; readonly imports: readonly CorimImport[] }> {
  if (!isObject(value)) return { value, imports: [] };
  const imports: CorimImport[] = [];
  const sections = new Map<string, unknown>(Object.entries(value));
  for (const [name, section] of sections) {
    if (!isObject(section) || !Object.hasOwn(section, 'corim')) continue;
    const { corim, ...filled } = section;
    const wanted = importsSchema.safeParse(corim);
    if (!wanted.success) throw refused(`${name}.corim`, z.prettifyError(wanted.error));
    for (const each of Array.isArray(wanted.data) ? wanted.data : [wanted.data]) {
      const { members, ...facts } = await importInto(name, each, options);
      for (const [member, content] of Object.entries(members)) {
        if (Object.hasOwn(filled, member)) throw refused(each.file, `${name}.${member} is given twice`);
        filled[member] = content;
      }
      imports.push({ ...facts, section: name, members: Object.keys(members) });
    }
    sections.set(name, filled);
  }
  return { value: Object.fromEntries(sections), imports };
}

async function importInto(
  section: string,
  { file, signers }: z.infer<typeof corimImportSchema>,
  { folder, now }: { readonly folder: string; readonly now: Date },
): Promise<{ readonly path: string; readonly endorser: string; readonly members: Readonly<Record<string, unknown>> }> {
  const path = resolve(folder, file);
  const corim = await readManifest(path);
  const trust =
    signers === undefined ? { unsigned: 'caller' as const } : { signers: signers.map((key) => fromBase64Url(key)) };
  const { sections, endorser } = await importCorim({ corim, now, ...trust });
  const members: unknown = new Map<string, unknown>(Object.entries(sections)).get(section);
  if (!isObject(members)) throw refused(path, `the manifest says nothing for section ${section}`);
  return { path, endorser, members };
}

async function readManifest(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw refused(path, `${size} bytes; at most ${maxBytes}`);
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

function refused(place: string, why: string): FastnessError {
  return new FastnessError('CLI_CORIM_IMPORT', `${place}: ${why}.`);
}
