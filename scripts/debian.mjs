// The programs that tests run beside our own come from Debian. Installs them where that is allowed, and says what is missing
// where it is not.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const library = (name) => {
  const folders = ['/usr/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'];
  return () => folders.some((folder) => existsSync(`${folder}/${name}`));
};
const postgresql = '/usr/lib/postgresql';

/** What is needed, for what, and how to tell that it is there. */
const programs = [
  {
    package: 'chromium',
    tests: 'the browser tests',
    present: () => existsSync(process.env.FASTNESS_CHROMIUM ?? '/usr/bin/chromium'),
  },
  { package: 'softhsm2', tests: 'the HSM tests', present: library('softhsm/libsofthsm2.so') },
  { package: 'libnss3', tests: 'the tests of a second PKCS #11 module', present: library('libsoftokn3.so') },
  { package: 'swtpm', tests: 'the TPM tests', present: () => existsSync('/usr/bin/swtpm') },
  {
    package: 'postgresql',
    tests: 'the PostgreSQL tests',
    present: () =>
      existsSync(postgresql) && readdirSync(postgresql).some((it) => existsSync(`${postgresql}/${it}/bin/initdb`)),
  },
];

function apt(...parameters) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return (
    spawnSync('apt-get', ['-qq', ...parameters], { stdio: ['ignore', 'ignore', 2], env: environment }).status === 0
  );
}

/** Tests that need a program skip where it stays absent. */
export function installPrograms() {
  const missing = () => programs.filter(({ present }) => !present());
  const names = missing().map((program) => program.package);
  if (names.length === 0) return;
  const allowed = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (allowed) {
    process.stderr.write(`Installing from Debian, once: ${names.join(', ')} ...\n`);
    const install = ['install', '--yes', '--no-install-recommends', ...names];
    if (!apt(...install) && apt('update')) apt(...install);
  }
  for (const { package: name, tests } of missing()) {
    const why = allowed ? 'could not be installed' : 'is missing, and only root can install it';
    process.stderr.write(`${name} ${why}: ${tests} are skipped. Next: apt-get install ${name}\n`);
  }
}
