// The first process of the machines that `npm run test:rtmr` boots: prints the log of the boot, and turns off.
import { readFileSync } from 'node:fs';
import { openKernel } from '../../apps/enclave/src/init/kernel.ts';

const LINE_BYTES = 3072;
const kernel = openKernel();
process.on('exit', () => kernel.powerOff());
kernel.mount('proc', '/proc', 0, '');
kernel.mount('devtmpfs', '/dev', 0, '');
kernel.mount('sysfs', '/sys', 0, '');
kernel.mount('securityfs', '/sys/kernel/security', 0, '');
const log = readFileSync('/sys/kernel/security/tpm0/binary_bios_measurements');
for (let at = 0; at < log.length; at += LINE_BYTES) {
  process.stdout.write(`{"log":"${log.subarray(at, at + LINE_BYTES).toString('base64')}"}\n`);
}
process.stdout.write(`{"done":${log.length}}\n`);
