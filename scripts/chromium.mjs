// The browser that tests run in comes from Debian. Installs it where that is allowed, and says what is missing where not.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const path = process.env.FASTNESS_CHROMIUM ?? '/usr/bin/chromium';

function apt(...parameters) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return (
    spawnSync('apt-get', ['-qq', ...parameters], { stdio: ['ignore', 'ignore', 2], env: environment }).status === 0
  );
}

/** Tests that need the browser skip where it stays absent. */
export function installChromium() {
  if (existsSync(path)) return;
  const allowed = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && !process.env.FASTNESS_CHROMIUM;
  if (allowed) {
    process.stderr.write('Installing Chromium from Debian (about 300 MB, once) ...\n');
    const install = ['install', '--yes', '--no-install-recommends', 'chromium'];
    if (apt(...install) || (apt('update') && apt(...install))) return;
  }
  process.stderr.write(
    `${path} is missing${allowed ? ' and could not be installed' : ', and only root can install it'}: the browser tests are skipped.\n` +
      'Next: apt-get install chromium, or name another Chromium in FASTNESS_CHROMIUM.\n',
  );
}
