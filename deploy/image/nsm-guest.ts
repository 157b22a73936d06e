// The first process of the machine that `npm run test:nsm` boots: the collector of AWS Nitro, through the kernel's own driver, to
// QEMU's security module. Prints one object a line; the document goes to whoever started the machine, who verifies it.
import { decodeNitroEvidence } from '@fastness/attest/formats/nitro';
import { fromHex, toHex } from '@fastness/codec';
import { collectSession, NSM_DEVICE, NSM_RUNTIME_PCR, nsmRuntimeRegister, openNsm } from '@fastness/evidence';
import type { Kernel } from '../../apps/enclave/src/init/kernel.ts';
import { refused, runTest, say, settingsOf, tell } from './guest-say.ts';
import { nsmEvents, nsmSession } from './nsm-session.ts';

/** Of a module (max_pcrs): 16 for the hypervisor, 16 for the enclave. */
const REGISTERS = 32;

async function main(kernel: Kernel): Promise<void> {
  const { modules, nonce } = settingsOf();
  const before = await refused(openNsm());
  say('without the driver there is no module', before.code === 'EVIDENCE_UNREACHABLE', before.detail);
  for (const path of modules) kernel.loadModule(path);

  const nsm = await openNsm();
  const { moduleId, version, registers, locked } = await nsm.describe();
  say(
    `DescribeNSM at ${NSM_DEVICE}`,
    registers === REGISTERS && locked.length === 0,
    `${moduleId}, version ${version}`,
  );
  const first = await nsm.register(NSM_RUNTIME_PCR);
  say('DescribePCR: zero, not locked', !first.locked && first.value.every((byte) => byte === 0));
  const absent = await refused(nsm.register(REGISTERS));
  say('DescribePCR of a register that is not there', absent.detail?.endsWith('InvalidIndex.') === true, absent.detail);

  const extendAll = async (): Promise<void> => {
    for (const event of nsmEvents) await nsm.extend?.(event);
  };
  await extendAll();
  const extended = await nsm.register(NSM_RUNTIME_PCR);
  say('ExtendPCR: as computed', toHex(extended.value) === nsmRuntimeRegister(nsmEvents), toHex(extended.value));
  const session = nsmSession(fromHex(String(nonce)));
  const documentOf = async (): Promise<Uint8Array> => {
    const { evidence } = await collectSession({ cpu: nsm }, session);
    if (!('value' in evidence)) throw new Error('Evidence of more than one device.');
    return decodeNitroEvidence(evidence).document;
  };
  tell('before', toHex(await documentOf()));
  await nsm.lock();
  const after = await nsm.register(NSM_RUNTIME_PCR);
  say('LockPCR: locked, as it was', after.locked && toHex(after.value) === toHex(extended.value));
  const late = await refused(extendAll());
  say('ExtendPCR after LockPCR', late.code === 'EVIDENCE_REFUSED', late.detail);
  const twice = await refused(nsm.lock());
  say('LockPCR twice', twice.code === 'EVIDENCE_REFUSED', twice.detail);
  const again = (await nsm.describe()).locked;
  say('DescribeNSM names the locked register', again.length === 1 && again[0] === NSM_RUNTIME_PCR, again.join());

  const document = await documentOf();
  say('Attestation', true, `${document.length} bytes`);
  tell('after', toHex(document));
}

await runTest(main);
