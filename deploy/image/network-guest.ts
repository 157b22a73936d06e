// The first process of the machine that `npm run test:network` boots: addresses by DHCP, names by the C library, a network of one
// address, a card whose network answers nothing. Prints one object a line.
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { obtainLease, openDhcpPort, renewLease } from '../../apps/enclave/src/init/dhcp/index.ts';
import { MS_RDONLY, MS_REMOUNT, type Kernel } from '../../apps/enclave/src/init/kernel.ts';
import {
  applyAddress,
  configureNetwork,
  hardwareOf,
  switchCard,
  writeNameservers,
} from '../../apps/enclave/src/init/network.ts';
import { refused, runTest, say, settingsOf } from './guest-say.ts';
import { OFFERED, PEER } from './network-peer.ts';

/** On QEMU's own network. */
const CARD = 'eth0';
/** On the network of network-peer.ts. */
const LIED_TO = 'eth1';
/** On a cable that leads nowhere. */
const DEAF = 'eth2';

function read(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

function addressOf(card: string): string | undefined {
  return networkInterfaces()[card]?.find(({ family }) => family === 'IPv4')?.cidr ?? undefined;
}

async function main(kernel: Kernel): Promise<void> {
  const { modules, port } = settingsOf();
  for (const path of modules) kernel.loadModule(path);
  kernel.mount('none', '/', MS_REMOUNT | MS_RDONLY, '');
  const optionsOf = (card: string) => ({ open: () => openDhcpPort(card), hardware: hardwareOf(card) });
  const outside = async (host = '10.0.2.2'): Promise<boolean> =>
    (await (await fetch(`http://${host}:${String(port)}/`)).text()) === 'outside';
  switchCard(kernel, 'lo', 'up');

  switchCard(kernel, CARD, 'up');
  const lease = await obtainLease(optionsOf(CARD));
  applyAddress(kernel, CARD, lease);
  say('a lease, and the machine outside is reached', await outside(), JSON.stringify(lease));
  const renewed = await renewLease(optionsOf(CARD), lease, 'server');
  say('its server gives more time', renewed?.address === lease.address);
  say('so does whoever hears it', (await renewLease(optionsOf(CARD), lease, 'everybody'))?.address === lease.address);

  switchCard(kernel, CARD, 'down');
  applyAddress(kernel, CARD, { address: lease.address, prefix: 32, router: lease.router, mtu: 1460 });
  say('a network of one address, with a router outside it', await outside(), addressOf(CARD));
  say('packets are as large as was said', read(`/sys/class/net/${CARD}/mtu`) === '1460');

  switchCard(kernel, CARD, 'down');
  let given = '';
  await configureNetwork(kernel, { interface: CARD, dhcp: true }, (_level, event, fields = {}) => {
    if (event === 'network') given = JSON.stringify(fields);
  });
  say('the first process gets an address by itself', addressOf(CARD) === '10.0.2.15/24' && (await outside()), given);
  const resolver = read('/etc/resolv.conf');
  say('the name server is in its place in a root that cannot be written', resolver === 'nameserver 10.0.2.3', resolver);

  switchCard(kernel, LIED_TO, 'up');
  const other = await obtainLease(optionsOf(LIED_TO));
  const routes = read('/proc/net/route');
  applyAddress(kernel, LIED_TO, other);
  const only = `${other.address}/${other.prefix} ${other.server} ${other.nameservers.join()} ${other.router ?? 'no router'}`;
  const expected = `${OFFERED}/24 ${PEER} ${PEER} no router`;
  say('from a server that answers the offered address, after three lies', only === expected, only);
  // The second column is the destination.
  const routesOf = (table: string): number =>
    table.split('\n').filter((row) => row.split('\t')[1] === '00000000').length;
  const kept = routesOf(read('/proc/net/route')) === routesOf(routes) && hostname() !== 'evil';
  say('a host name and routes that nobody asked for are not taken', kept, hostname());
  writeNameservers(other.nameservers);
  const { address } = await lookup('broker.fastness.test', { family: 4 });
  const named = await outside('broker.fastness.test');
  say(
    'the C library asks the other name server',
    address === '10.0.2.2' && named,
    `broker.fastness.test is ${address}`,
  );

  switchCard(kernel, DEAF, 'up');
  const silent = await refused(obtainLease({ ...optionsOf(DEAF), tries: [100, 200] }));
  say('a network without a server', silent.code === 'INIT_DHCP', silent.detail);
  const absent = await refused(configureNetwork(kernel, { interface: 'eth7', dhcp: true }, () => {}));
  say('a card that is not there', absent.code === 'INIT_NETWORK', absent.detail);
}

await runTest(main);
