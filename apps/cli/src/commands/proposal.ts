import { join } from 'node:path';
import { Argument, Command } from 'commander';
import {
  approvalCountSchema,
  parseMembership,
  proposalListSchema,
  proposalStateSchema,
  proposalViewSchema,
  type ProposalView,
} from '@fastness/broker';
import { toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readReleasePackage } from '@fastness/model';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { duration, names, wholeNumber } from '../support/option-values.ts';
import { modelDirectory, readJson, writeJson } from '../support/home.ts';
import { describeAction, fetchProposal, proposalAnswerLimit, signApproval } from '../support/proposals.ts';
import type { Context } from '../support/run.ts';
import { keyIds, openApproverStore } from '../support/stores.ts';

interface BrokerOption {
  readonly url?: string;
}
interface CreateOptions extends BrokerOption {
  readonly reason: string;
  readonly model?: string;
  readonly file?: string;
  readonly key?: string;
  readonly delay?: number;
  readonly expiresIn?: number;
}

export function proposalCommand(): Command {
  return new Command('proposal')
    .description('what several people decide together: create, list, show, approve, execute or cancel a proposal')
    .addCommand(createCommand())
    .addCommand(
      withUrl(new Command('list'))
        .description('proposals that are open')
        .option('--all', 'those that are over as well')
        .action(action<BrokerOption & { all?: boolean }>(list)),
    )
    .addCommand(
      withUrl(new Command('show'))
        .description('what a proposal would do, from the very bytes that are approved, and who approved it')
        .argument('<id>', 'id of the proposal, as `fastness proposal list` prints it')
        .action(action<BrokerOption>(show)),
    )
    .addCommand(
      withUrl(new Command('approve'))
        .description("answer the challenge of an approver's key")
        .argument('<id>', 'id of the proposal, as `fastness proposal list` prints it')
        .requiredOption('--as <name>', 'the approver whose key signs')
        .action(action<BrokerOption & { as: string }>(approve)),
    )
    .addCommand(
      withUrl(new Command('execute'))
        .description('do what an approved proposal says, once')
        .argument('<id>', 'id of the proposal, as `fastness proposal list` prints it')
        .action(action<BrokerOption>(async (context, options, [id = '']) => end(context, options, id, 'execution'))),
    )
    .addCommand(
      withUrl(new Command('cancel'))
        .description('take a proposal back')
        .argument('<id>', 'id of the proposal, as `fastness proposal list` prints it')
        .action(action<BrokerOption>(async (context, options, [id = '']) => end(context, options, id, 'cancellation'))),
    )
    .addCommand(
      new Command('members')
        .description("write a membership of the home's approvers, for `create quorum` or for the broker's first quorum")
        .requiredOption('--approvers <names>', 'who may approve, separated by commas', names)
        .requiredOption('--threshold <number>', 'how many of them it takes', wholeNumber(1, 16))
        .requiredOption('--file <path>', 'where to write it')
        .action(action<{ approvers: string[]; threshold: number; file: string }>(writeMembers)),
    );
}

function createCommand(): Command {
  return withUrl(new Command('create'))
    .description('propose something; every registered key gets a challenge')
    .addArgument(
      new Argument('<action>', 'what is proposed').choices(['release', 'policy', 'key-destruction', 'quorum']),
    )
    .requiredOption('--reason <text>', 'why; approvers read it')
    .option('--model <id>', 'release: the sealed model (default: the one sealed last)')
    .option('--file <path>', 'policy, quorum: the JSON file with it')
    .option('--key <id>', 'key-destruction: the wrapping key')
    .option('--delay <duration>', 'key-destruction: how long it can be cancelled, such as 7d', seconds)
    .option('--expires-in <duration>', 'how long it waits (default: as the broker says)', seconds)
    .action(action<CreateOptions>(create));
}

const withUrl = (command: Command): Command => command.option('--url <url>', "the broker (default: the home's)");

function seconds(text: string): number {
  return Math.floor(duration(text) / 1000);
}

async function create(context: Context, options: CreateOptions, [kind = '']: string[]): Promise<void> {
  const { home, output, signal } = context;
  const made = await callBrokerAdmin(home, {
    method: 'POST',
    path: '/v1/admin/proposals',
    body: {
      action: await actionOf(context, kind, options),
      reason: options.reason,
      ...(options.expiresIn === undefined ? {} : { lifetimeSeconds: options.expiresIn }),
    },
    answer: proposalViewSchema,
    answerLimit: proposalAnswerLimit,
    signal,
    ...urlOf(options),
  });
  const { id, digest, threshold, expiresAt } = made;
  output.step('proposal-created', `Proposal ${id}: ${kind}, ${threshold} approvals needed until ${expiresAt}`, {
    id,
    action: kind,
    digest,
    threshold,
    expiresAt,
  });
}

async function actionOf(context: Context, kind: string, options: CreateOptions): Promise<unknown> {
  if (kind === 'release') {
    const dir = await modelDirectory(context.home, options.model);
    const keys = await readJson(join(dir, 'keys.json'));
    return { kind, registration: { package: await readReleasePackage(dir), keys } };
  }
  if (kind === 'key-destruction') {
    if (options.key === undefined || options.delay === undefined)
      throw new FastnessError('CLI_USAGE', 'Name the key and the delay: --key ID --delay 7d.');
    return { kind, keyId: options.key, delaySeconds: options.delay };
  }
  if (options.file === undefined) throw new FastnessError('CLI_USAGE', 'Name the file: --file PATH.');
  const value = await readJson(options.file);
  return kind === 'policy' ? { kind, policy: value } : { kind, membership: value };
}

async function list({ home, output, signal }: Context, options: BrokerOption & { all?: boolean }): Promise<void> {
  const { proposals } = await callBrokerAdmin(home, {
    method: 'GET',
    path: `/v1/admin/proposals?state=${options.all === true ? 'all' : 'open'}`,
    answer: proposalListSchema,
    signal,
    ...urlOf(options),
  });
  const lines = proposals.map(
    ({ id, state, action: what, reason, expiresAt }) => `${id}  ${state}  ${what}  until ${expiresAt}  ${reason}`,
  );
  output.result({ proposals }, lines.length === 0 ? ['No proposals.'] : lines);
}

async function show(context: Context, options: BrokerOption, [id = '']: string[]): Promise<void> {
  const { proposed, ...view } = await fetchProposal(context, id, options.url);
  context.output.result({ ...view, wouldDo: await describeAction(proposed) }, [
    ...linesOf(view),
    ...(await describeAction(proposed)),
  ]);
}

function linesOf(view: ProposalView): string[] {
  const { id, state, action: what, reason, expiresAt, digest, approvals, threshold, code } = view;
  const by = approvals.map(({ member }) => member).join(', ');
  return [
    `Proposal ${id}: ${what}, ${state}${code === null ? '' : ` (${code})`}, until ${expiresAt}`,
    `Reason: ${reason}`,
    `Digest: ${digest}`,
    `Approved by ${approvals.length} of ${threshold} needed${by === '' ? '' : `: ${by}`}`,
  ];
}

async function approve(context: Context, options: BrokerOption & { as: string }, [id = '']: string[]): Promise<void> {
  const { home, output, signal } = context;
  const { proposed, ...view } = await fetchProposal(context, id, options.url);
  for (const line of [...linesOf(view), ...(await describeAction(proposed))]) output.detail(line);
  await using keyStore = await openApproverStore(home, options.as);
  const { keyId, member, proof } = await signApproval(view, keyStore, keyIds.approver);
  const { approvals, threshold } = await callBrokerAdmin(home, {
    method: 'POST',
    path: `/v1/admin/proposals/${id}/approvals`,
    body: { keyId, proof },
    answer: approvalCountSchema,
    signal,
    ...urlOf(options),
  });
  output.step('proposal-approved', `${member} approved proposal ${id} (${approvals} of ${threshold})`, {
    id,
    member,
    digest: view.digest,
    approvals,
    threshold,
  });
}

async function end(
  { home, output, signal }: Context,
  options: BrokerOption,
  id: string,
  how: 'execution' | 'cancellation',
): Promise<void> {
  const { state } = await callBrokerAdmin(home, {
    method: 'POST',
    path: `/v1/admin/proposals/${encodeURIComponent(id)}/${how}`,
    answer: proposalStateSchema,
    signal,
    ...urlOf(options),
  });
  output.step(`proposal-${state}`, `Proposal ${id}: ${state}`, { id, state });
}

async function writeMembers(
  { home, output }: Context,
  options: { approvers: string[]; threshold: number; file: string },
): Promise<void> {
  const members = [];
  for (const id of options.approvers) {
    await using store = await openApproverStore(home, id);
    const publicKey = toBase64Url(await store.publicKey(keyIds.approver));
    members.push({ id, keys: [{ kind: 'key' as const, publicKey }] });
  }
  const membership = { threshold: options.threshold, members };
  const { digest } = await parseMembership(membership, 0);
  await writeJson(options.file, membership, 0o644);
  output.step('members-written', `${options.threshold} of ${members.length} members written to ${options.file}`, {
    file: options.file,
    digest,
  });
}

function urlOf({ url }: BrokerOption): { url?: string } {
  return url === undefined ? {} : { url };
}
