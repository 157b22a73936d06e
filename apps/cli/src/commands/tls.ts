import { Command, Option } from 'commander';
import { createTlsIdentity, type TlsIdentity, type TlsPeer } from '@fastness/channel/node/tls';
import type { TlsPeerPolicy } from '@fastness/channel/tls';
import { hardwareFactsOf, machineOf } from '@fastness/client';
import { fromHex, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { collectSession, detectCollector } from '@fastness/evidence';
import {
  dial,
  forwardAttested,
  hostPortOf,
  requireLocal,
  serveAttested,
  written,
  type Told,
} from '../support/attested-tls.ts';
import { loadAnchors, warnOfAnchors } from '../support/attest/anchors-file.ts';
import { policyPathOf } from '../support/attest/arguments.ts';
import { loadPolicy } from '../support/attest/policy-file.ts';
import { action } from '../support/command.ts';
import { deviceFacts, deviceLines, waiverLines } from '../support/devices.ts';
import { completeFor, withSourceOptions, type SourceOptions } from '../support/endorsements.ts';
import { shortHex } from '../support/format.ts';
import type { Output } from '../support/output.ts';
import { untilAborted, type Context } from '../support/run.ts';
import { simulatedBanner } from '../support/simulated.ts';

interface PeerOptions {
  readonly policy?: string;
  readonly peerRelease?: string;
  readonly anchors?: string;
}

interface OwnOptions extends SourceOptions {
  readonly release?: string;
}

interface CarryOptions extends PeerOptions, OwnOptions {
  readonly listen: string;
  readonly to: string;
  readonly prove?: boolean;
  readonly allowRemote?: boolean;
}

/** Attested TLS from service to service, for services that know nothing of it. */
export function tlsCommand(): Command {
  return new Command('tls')
    .description(
      'attested TLS between services: what a machine is proves itself in the handshake and on the connection',
    )
    .addCommand(verifyCommand())
    .addCommand(serveCommand())
    .addCommand(connectCommand());
}

function verifyCommand(): Command {
  return withPeerOptions(new Command('verify'))
    .description('connect, verify certificate and connection, and hang up; exit code 0 only if the policy accepts both')
    .argument('<tls://host:port>', 'where `fastness tls serve` listens')
    .action(
      action<PeerOptions>(async ({ output }, options, [target = '']) => {
        const to = hostPortOf(target, 'tls');
        const { socket, peer } = await dial({ to, peer: await peerOf(options), identity: undefined });
        socket.destroy();
        printPeer(output, 'tls-verified', `Verified: ${target} is`, peer, options);
      }),
    );
}

function serveCommand(): Command {
  return withOwnOptions(withPeerOptions(new Command('serve')))
    .description('on the machine with the TEE: take attested TLS, and hand what arrives to a service on this machine')
    .requiredOption('--listen <tls://host:port>', 'where others connect, such as tls://0.0.0.0:8443')
    .requiredOption('--to <host:port>', 'the service, such as 127.0.0.1:5432; it gets what arrives in clear')
    .option('--allow-remote', 'the service is on another machine: what arrives crosses the network in clear')
    .action(
      action<CarryOptions>(async (context, options) => {
        const to = hostPortOf(options.to);
        requireLocal(to, options.allowRemote ?? false);
        const peer = options.policy === undefined ? undefined : await peerOf(options);
        const serving = await serveAttested({
          listen: hostPortOf(options.listen, 'tls'),
          to,
          identity: await ownIdentity(context, options),
          peer,
          told: toldBy(context.output),
        });
        const asked = peer === undefined ? 'anybody may connect' : 'who connects must prove itself';
        await served(context, serving, `Attested TLS on tls://${written(serving)} for ${written(to)}; ${asked}`, 'tls');
      }),
    );
}

function connectCommand(): Command {
  return withOwnOptions(withPeerOptions(new Command('connect')))
    .description('where the client runs: take its connections on this machine, and carry each over attested TLS')
    .requiredOption('--to <tls://host:port>', 'where `fastness tls serve` listens')
    .requiredOption('--listen <host:port>', 'where the client connects on this machine, such as 127.0.0.1:5432')
    .option('--prove', 'show evidence of this machine too, where the other side asks for it')
    .option('--allow-remote', 'listen on an address that other machines reach: what they send comes in clear')
    .action(
      action<CarryOptions>(async (context, options) => {
        const listen = hostPortOf(options.listen);
        requireLocal(listen, options.allowRemote ?? false);
        const to = hostPortOf(options.to, 'tls');
        const peer = await peerOf(options);
        const identity = options.prove === true ? await ownIdentity(context, options) : undefined;
        // Once before anybody relies on it, so that a wrong policy or address is the exit code.
        const first = await dial({ to, peer, identity });
        first.socket.destroy();
        printPeer(context.output, 'tls-verified', `Verified: ${options.to} is`, first.peer, options);
        const carrying = await forwardAttested({ listen, to, peer, identity, told: toldBy(context.output) });
        await served(context, carrying, `${written(carrying)} leads to ${options.to}, verified on every connection`);
      }),
    );
}

function withPeerOptions(command: Command): Command {
  return command
    .option(
      '--policy <file>',
      'what the other side must be: an attestation policy, or the policy of a client or broker (JSON or YAML)',
    )
    .option('--peer-release <sha256>', 'the signed release that it must run. Default: a service without one')
    .option('--anchors <file>', "roots that count instead of the vendors' (for tests and private roots); reported");
}

function withOwnOptions(command: Command): Command {
  return withSourceOptions(
    command,
    'fetch what the evidence of this machine lacks, and keep it in this folder',
  ).addOption(new Option('--release <sha256>', 'the signed release that this machine runs. Default: none'));
}

async function peerOf(options: PeerOptions): Promise<TlsPeerPolicy> {
  const { policy: attestation } = await loadPolicy(policyPathOf(options.policy), new Date());
  return {
    attestation,
    anchors: await loadAnchors(options.anchors),
    ...(options.peerRelease === undefined ? {} : { releaseDigest: digestOf('--peer-release', options.peerRelease) }),
  };
}

/** A key born here, and evidence of this machine for it. */
async function ownIdentity({ output, signal }: Context, options: OwnOptions & PeerOptions): Promise<TlsIdentity> {
  const cpu = await detectCollector();
  if (cpu.simulated) output.warn(simulatedBanner);
  const anchors = await loadAnchors(options.anchors);
  return createTlsIdentity({
    collect: async (session) => {
      const { evidence, endorsements } = await collectSession({ cpu }, session);
      const means = { anchors, at: new Date(), signal };
      return { evidence, endorsements: (await completeFor(evidence, endorsements, options, means)).endorsements };
    },
    ...(options.release === undefined ? {} : { releaseDigest: digestOf('--release', options.release) }),
  });
}

function digestOf(option: string, text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new FastnessError('CLI_USAGE', `${option}: a SHA-256 in lower-case hex, as \`fastness verify\` prints it.`);
  return fromHex(text);
}

async function served(
  { output, signal }: Context,
  carrying: Awaited<ReturnType<typeof serveAttested>>,
  text: string,
  scheme?: 'tls',
): Promise<void> {
  const address = scheme === undefined ? written(carrying) : `${scheme}://${written(carrying)}`;
  output.step('listening', text, { address });
  await untilAborted(signal);
  await carrying.close();
}

function toldBy(output: Output): Told {
  return {
    connected: (peer) =>
      output.step(
        'connected',
        peer === undefined ? 'Connected' : `Connected: ${machineOf(peer.verdict)}`,
        peer === undefined ? {} : { key: toHex(peer.spki), claims: peer.verdict.claims, ...deviceFacts(peer.verdict) },
      ),
    failed: ({ code, detail }) =>
      output.warn(`Connection refused or cut: ${code}${detail === undefined ? '' : ` ${detail}`}`),
  };
}

/** What the other side is: its processor, its devices, what the policy waived, and what this rests on. */
export function printPeer(
  output: Output,
  event: string,
  text: string,
  { certificate, verdict, spki }: TlsPeer,
  options: PeerOptions,
): void {
  const { claims, waivers, checks } = verdict;
  const { notBefore, notAfter } = certificate;
  output.step(event, `${text} ${machineOf(verdict)}`, {
    simulated: claims.simulated,
    claims,
    ...deviceFacts(verdict),
    waivers,
    key: toHex(spki),
    certificate: { notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString() },
    checks: checks.length + certificate.verdict.checks.length,
  });
  output.detail(`measurement ${shortHex(claims.measurement)}`);
  for (const line of [...hardwareFactsOf(claims), ...deviceLines(verdict)]) output.detail(line);
  output.detail(`debug ${claims.debug ? 'ON' : 'off'}; certificate until ${notAfter.toISOString()}`);
  output.detail('evidence covers the key of the certificate, a fresh nonce and this very connection');
  warnOfAnchors(output, options.anchors);
  for (const line of waiverLines(verdict)) output.warn(line);
  if (claims.simulated) output.warn(simulatedBanner);
}
