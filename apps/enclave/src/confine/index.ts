import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CONFIGFS_TSM,
  NITRO_TPM_DEVICE,
  NSM_DEVICE,
  SEV_GUEST_DEVICE,
  TDX_GUEST_DEVICE,
  TDX_RTMR_FILE,
  TPM_DEVICE,
} from '@fastness/evidence';
import type { EnclaveConfig } from '../config.ts';
import type { EngineName } from '../engine/engine.ts';
import { confineFiles, type ConfinementFacts, type ConfinementRules } from './landlock.ts';
import { forbidCalls, forbidPrograms } from './seccomp.ts';

/** What this process can no longer do, as the kernel took it. */
export interface Confinement extends ConfinementFacts {
  /** Whether calls are filtered. */
  readonly calls: boolean;
}

/** Devices that evidence comes from, and what programs are given for no input. */
const devices = [
  NSM_DEVICE,
  SEV_GUEST_DEVICE,
  TDX_GUEST_DEVICE,
  TPM_DEVICE,
  NITRO_TPM_DEVICE,
  '/dev/attestation',
  '/dev/null',
];
/** Azure's metadata service, which quotes for virtual TPMs on TDX. */
const METADATA_PORT = 80;

/**
 * Takes from this process, for good, what an enclave does not need: files may be written in its tmpfs and for its sealed
 * state alone, and connections go to the ports of its brokers. Host and network are the attacker's as before: this is for whoever gets
 * code into the enclave. Not everywhere: see `Confinement` for what is in force. Call it before anything asynchronous.
 * @throws ENCLAVE_HARDENING when the kernel refuses what it knows
 */
export function confineProcess(config: EnclaveConfig): Confinement {
  const server = bringsServer(config.modelDir);
  const brokers = [config.brokerUrl, ...Object.values(config.brokerUrls ?? {})]
    .filter((url) => url !== undefined)
    .map((url) => new URL(url));
  const facts = confineFiles(rulesOf(config, server ? undefined : brokers.map(portOf)));
  const names = server || brokers.some(({ hostname }) => isIP(hostname.replaceAll(/[[\]]/gu, '')) === 0);
  return { ...facts, calls: forbidCalls({ names }) };
}

/**
 * Takes the starting of programs as well, unless the model is served by one or evidence comes from a command. Not with the
 * rest: llama.cpp's package tries its binaries in a process of its own before it loads them. Call it with the engine that was
 * signed, when that has been loaded and before a key is asked for. @returns whether programs can no longer be started
 */
export function confineToEngine(config: EnclaveConfig, engine: EngineName): boolean {
  const { nvidiaGpus, nvidiaSwitches } = config.devices;
  if (engine === 'upstream' || nvidiaGpus === 'nvattest' || nvidiaSwitches === 'nvattest') return false;
  return forbidPrograms();
}

function rulesOf({ memory, sealedState }: EnclaveConfig, ports: readonly number[] | undefined): ConfinementRules {
  const tpm = sealedState?.tpm.replace(/^tpm:[a-z]+:/u, '');
  return {
    folders: [
      ...(memory.tmpfsDir === undefined ? [] : [memory.tmpfsDir]),
      ...(sealedState === undefined ? [] : [dirname(sealedState.path)]),
      // A server of the model's has its folder in the first, shares memory among its own processes in the second, and listens
      // where it finds room.
      ...(ports === undefined ? [tmpdir(), '/dev/shm'] : []),
    ],
    devices: [...devices, ...graphics(), ...(tpm === undefined ? [] : [tpm]), ...register()],
    entries: [CONFIGFS_TSM],
    ports: ports === undefined ? undefined : [...ports, ...(existsSync(TPM_DEVICE) ? [METADATA_PORT] : [])],
  };
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

/**
 * Whether the model is served by a program of its own. The manifest is the host's until its signature is checked: one that
 * says so falsely gets a process that is confined less, and does not start.
 */
function bringsServer(modelDir: string): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(modelDir, 'manifest.json'), 'utf8'));
    return typeof manifest === 'object' && manifest !== null && 'engine' in manifest && manifest.engine === 'upstream';
  } catch {
    // What is wrong with it is said where it is read for good.
    return false;
  }
}

function graphics(): readonly string[] {
  return readdirSync('/dev')
    .filter((name) => name.startsWith('nvidia'))
    .map((name) => join('/dev', name));
}

/** The register of a trust domain is behind a link. */
function register(): readonly string[] {
  return existsSync(TDX_RTMR_FILE) ? [realpathSync(TDX_RTMR_FILE)] : [];
}
