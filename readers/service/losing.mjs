// A phone is lost and found; another one ends it. What verifiers are told online, and
// what the published status lists say.
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list';
import { setTimeout as sleep } from 'node:timers/promises';
import * as jose from 'jose';
import { leafKey } from './authority.mjs';
import { sdjwtInstance } from './cards.mjs';
import { check, equal, must, ok } from './checks.mjs';
import { Party } from './parties.mjs';
import { verdicts } from './presenting.mjs';

const STATUS = { valid: 0, invalid: 1, suspended: 2 };

async function list(service, uri) {
  const answer = await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } });
  equal(answer.headers.get('content-type'), 'application/statuslist+jwt', 'the type of the list');
  const jwt = await answer.text();
  const { payload } = await jose.jwtVerify(jwt, (header) => leafKey(header.x5c, service.iaca), { typ: 'statuslist+jwt', algorithms: ['ES256'], subject: uri, requiredClaims: ['iat', 'exp', 'ttl'] });
  ok(payload.status_list.bits === 2, 'the list has not 2 bits');
  return jwt;
}

// The lists are published every second here, by each replica for itself: they say it
// when several answers in a row do.
const IN_A_ROW = 4;

async function listed(service, held, want) {
  const copies = [...held.mdocs, ...held.sdjwts];
  await check(`@sd-jwt/jwt-status-list finds each of ${copies.length} copies ${want} on the published lists`, async () => {
    let said;
    let row = 0;
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(100)) {
      const lists = new Map();
      for (const { status } of copies) if (!lists.has(status.uri)) lists.set(status.uri, getListFromStatusListJWT(await list(service, status.uri)));
      said = copies.map(({ status }) => lists.get(status.uri).getStatus(status.idx));
      row = said.every((s) => s === STATUS[want]) ? row + 1 : 0;
      if (row === IN_A_ROW) return;
    }
    throw new Error(`it finds ${said}`);
  });
  const [{ text }] = held.sdjwts;
  await check(`@sd-jwt/sd-jwt-vc, which fetches the list itself, ${want === 'valid' ? 'accepts' : 'refuses'} the card`, async () => {
    const instance = sdjwtInstance(service);
    instance.config({ statusListFetcher: (uri) => list(service, uri) });
    const refused = await instance.verify(text).then(() => undefined, (e) => e);
    if (want === 'valid' && refused) throw refused;
    if (want !== 'valid') ok(/status/i.test(refused?.message ?? ''), refused ? `refused for another reason: ${refused.message}` : 'it was accepted');
  });
}

export async function lostAndFound(service, presenter, held) {
  const operator = new Party(service.url, service.data, 'demo-operator');
  const clerk = new Party(service.url, service.data, 'demo-clerk');
  const path = `/residents/${held.citizen.id}`;
  await listed(service, held, 'valid');
  let report;
  await must('the loss line takes a report', async () => {
    report = await operator.ask('POST', `${path}/reports`, { cause: 'mobile-lost', why: 'left on the train' });
    equal(report.state.mobile, 'suspended', 'the verdict on the mobile card');
  });
  await verdicts(presenter, held, 'suspended', 'after the report');
  await listed(service, held, 'suspended');
  await check('a bank may neither report nor release', async () => {
    await presenter.bank.ask('POST', `${path}/reports`, { cause: 'mobile-lost', why: 'x' }).then(() => { throw new Error('it may'); }, (e) => equal(e.status, 403, 'the status'));
  });
  await must('a clerk releases it', async () => {
    const { wallet } = await clerk.ask('GET', path);
    const released = await clerk.ask('POST', `${path}/releases`, { cause: 'mobile-lost', sequence: report.sequence, wallet, why: 'the citizen has it' });
    equal(released.state.mobile, 'accepted', 'the verdict on the mobile card');
  });
  await verdicts(presenter, held, 'accepted', 'after the release');
  await listed(service, held, 'valid');
}

// Another wallet has been issued the card since.
export async function replaced(service, presenter, held) {
  await verdicts(presenter, held, 'not-valid', 'of the old phone, once another one has the card');
  await listed(service, held, 'invalid');
}
