// Certificates are revoked while the service runs: OpenSSL reads the lists, and says of
// which certificates; cards, lists and requests by what was revoked are refused.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as jose from 'jose';
import { bySSL } from './authority.mjs';
import { check, equal, must, ok } from './checks.mjs';
import { revokedByIrmago } from './irmago.mjs';
import { byOffer, signedAnew } from './issuing.mjs';
import { verdicts } from './presenting.mjs';

const IN_A_ROW = 4; // answers, so that each of two replicas has given one

const of = async (service, path) => Buffer.from(await (await fetch(service.url + path)).arrayBuffer());
const signerOf = (jwt) => new X509Certificate(Buffer.from(jose.decodeProtectedHeader(jwt.split('~')[0]).x5c[0], 'base64'));

// As an operator does it: in one key file, which all replicas get.
function revoke(service, ...what) {
  const [first, ...others] = service.replicas;
  const said = execFileSync(service.binary, ['keys', 'revoke', '--data', first.data, ...what], { encoding: 'utf8' });
  for (const { data } of others) copyFileSync(join(first.data, 'keys.json'), join(data, 'keys.json'));
  for (const { pid } of service.replicas) process.kill(pid, 'SIGHUP');
  return said;
}

// Waits until every replica says so.
async function until(what, holds) {
  let said;
  let row = 0;
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(50)) {
    said = await holds();
    row = said === true ? row + 1 : 0;
    if (row === IN_A_ROW) return;
  }
  throw new Error(`${what}: ${said}`);
}

const listed = (service, path, root, certificate, want) => until(`OpenSSL says of ${certificate.subject.replaceAll('\n', ', ')}`, async () => {
  const said = bySSL(`${service.certificates}-looked-at`, certificate, root, await of(service, path));
  return said === want || said;
});

const statusList = async (held) => (await fetch(held.sdjwts[0].status.uri, { headers: { Accept: 'application/statuslist+jwt' } })).text();

export async function revoked(service, presenter, held, citizen) {
  const signer = signerOf(held.sdjwts[0].text);
  const root = service.iaca;
  await verdicts(presenter, held, 'accepted', 'before anything is revoked');
  await must('OpenSSL finds the document signer good by the list before', () => listed(service, '/iaca.crl', root, signer, 'good'));
  await must('the document signer is revoked, and OpenSSL says so by the next list', async () => {
    ok(/is revoked: key-compromise/.test(revoke(service, signer.serialNumber, '--reason', 'key-compromise')), 'rollcall does not say that it is revoked');
    await listed(service, '/iaca.crl', root, signer, 'revoked');
  });
  await verdicts(presenter, held, 'not-valid', 'of a card by the revoked signer');
  await verdicts(presenter, await signedAnew(service, held), 'accepted', 'of its copies, signed anew by the next signer');
  let again;
  await must('the card is issued again, by a signer that OpenSSL finds good', async () => {
    again = await byOffer(service, citizen);
    const next = signerOf(again.sdjwts[0].text);
    ok(next.serialNumber !== signer.serialNumber, 'the revoked signer signs on');
    await listed(service, '/iaca.crl', root, next, 'good');
  });
  await verdicts(presenter, again, 'accepted', 'of the card that was issued again');

  await check('the status list signer is revoked, and the lists are by another one, which OpenSSL finds good', async () => {
    const before = signerOf(await statusList(again));
    revoke(service, before.serialNumber, '--reason', 'superseded');
    await listed(service, '/iaca.crl', root, before, 'revoked');
    await until('who signed the list', async () => {
      const now = signerOf(await statusList(again));
      return (now.serialNumber !== before.serialNumber && bySSL(`${service.certificates}-looked-at`, now, root, await of(service, '/iaca.crl')) === 'good') || now.serialNumber;
    });
  });
  await verdicts(presenter, again, 'accepted', 'when the status lists have another signer');

  let before;
  await check("a verifier's certificate is revoked: OpenSSL says so, and it asks for nothing more", async () => {
    const begun = await presenter.ask();
    const request = await fetch(begun.request_uri);
    before = await request.text();
    const certificate = signerOf(before);
    equal(bySSL(`${service.certificates}-looked-at`, certificate, service.root, await of(service, '/authority.crl')), 'good', 'before');
    revoke(service, certificate.serialNumber, '--reason', 'cessation-of-operation');
    await listed(service, '/authority.crl', service.root, certificate, 'revoked');
    const answer = await fetch(begun.request_uri);
    equal([answer.status, (await answer.json()).error], [400, 'invalid_request'], 'the answer to a wallet that fetches what it asked before');
    await presenter.ask().then(() => { throw new Error('it may ask'); }, (e) => equal(e.status, 403, 'the status'));
  });
  if (service.irmago) await revokedByIrmago(service, held, again, before);
}
