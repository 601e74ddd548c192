// Starts the service and has other people's implementations judge it:
//
//   node run.mjs ROLLCALL DIR [--wallet TEST] [--irmago PROGRAM] [--database postgres://...]
//
// ROLLCALL is the program, DIR an empty folder, TEST the test binary of sim/demo, whose
// wallet another maker's verifier asks, PROGRAM that of ../irmago. With a database, two replicas on it
// stand behind a balancer that gives each request to the next one.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { authority } from './authority.mjs';
import { balancer, freePort, listen, serve } from './start.mjs';

let given;
try {
  given = parseArgs({ allowPositionals: true, options: { wallet: { type: 'string' }, irmago: { type: 'string' }, database: { type: 'string' } } });
  if (given.positionals.length !== 2) throw new Error('ROLLCALL and DIR are missing');
} catch (e) {
  console.error(`${e.message}\nusage: node run.mjs ROLLCALL DIR [--wallet TEST] [--irmago PROGRAM] [--database postgres://...]`);
  process.exit(2);
}
const [binary, folder] = given.positionals.map((p) => resolve(p));
const { wallet, irmago, database } = given.values;
mkdirSync(folder, { recursive: true });

const [provider, maker, verifier, strangeProvider, strangeMaker, tls] = await Promise.all([
  authority(folder, 'wallets'), authority(folder, 'phones'), authority(folder, 'verifier'), authority(folder, 'strange-wallets'), authority(folder, 'strange-phones'),
  authority(folder, 'localhost', ['subjectAltName=DNS:localhost', 'extendedKeyUsage=serverAuth']),
]);
const settings = ['--demo', '--status-every', '1s', '--wallet-providers', provider.root, '--phone-makers', maker.root];
const replicas = [];
let url;
let front;
if (database) {
  // The address must be known before the replicas start, for it stands on every card.
  const ports = [];
  front = balancer({ key: readFileSync(tls.keyFile), cert: readFileSync(tls.certificate) });
  const port = await listen(front.server);
  url = `https://localhost:${port}`;
  for (const n of [1, 2]) {
    if (n === 2) {
      mkdirSync(join(folder, 'replica2', 'rollcall-data'), { recursive: true });
      for (const f of ['keys.json', 'keys.key']) copyFileSync(join(folder, 'replica1', 'rollcall-data', f), join(folder, 'replica2', 'rollcall-data', f));
    } else mkdirSync(join(folder, 'replica1'), { recursive: true });
    const listenAt = await freePort();
    ports.push(listenAt);
    replicas.push(await serve(binary, join(folder, `replica${n}`), `replica${n}`,
      [...settings, '--database', database, '--tls=false', '--listen', `127.0.0.1:${listenAt}`, '--public-url', url, '--proxies', '127.0.0.0/8']));
  }
  front.ready(ports);
} else {
  replicas.push(await serve(binary, folder, 'serve', [...settings, '--listen', '127.0.0.1:0']));
  url = replicas[0].url;
}
const data = join(folder, database ? 'replica1' : '.', 'rollcall-data');
const trusted = join(folder, 'trusted.pem');
writeFileSync(trusted, [join(data, 'authority.pem'), tls.root].map((f) => readFileSync(f, 'utf8')).join('\n'));
const what = join(folder, 'service.json');
writeFileSync(what, JSON.stringify({
  url, data, authority: join(data, 'authority.pem'), iaca: join(data, 'iaca.pem'), iacaFile: join(data, 'iaca.pem'), certificates: join(folder, 'certificates'), trusted, provider, maker, verifier, tls, wallet: wallet && resolve(wallet), irmago: irmago && resolve(irmago),
  binary, replicas: replicas.map((r) => ({ pid: r.pid, data: r.data })), strangers: { provider: strangeProvider, maker: strangeMaker },
}));

const judge = spawn(process.execPath, [join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'judge.mjs'), what], {
  stdio: 'inherit', env: { ...process.env, NODE_EXTRA_CA_CERTS: trusted },
});
let code = await new Promise((done) => judge.once('exit', (c) => done(c ?? 1)));
if (front) {
  console.log(`the replicas answered ${front.served.join(' and ')} requests`);
  front.close();
}
for (const r of replicas) {
  const ended = await r.end();
  if (ended !== 0) {
    console.log(`FAILED  a replica ended with ${ended}`);
    code = 1;
  }
}
process.exit(code);
