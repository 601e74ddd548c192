// Judges a service that runs: see README.md. Arguments: a file with what it is
// (run.mjs writes it) and the part of the story to go through.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeSeen } from './authority.mjs';
import { check, equal, ok, total } from './checks.mjs';
import { endedByIrmago, shownByIrmago } from './irmago.mjs';
import { lostAndFound, replaced } from './losing.mjs';
import { Party } from './parties.mjs';
import { asked } from './verifier.mjs';
import { Presenter, presents, refusedPresenting, verdicts } from './presenting.mjs';
import { byCard, byOffer, refusedIssuing, residents, signedAnew } from './issuing.mjs';
import { revoked } from './revoking.mjs';

const given = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const certificate = (file) => new X509Certificate(readFileSync(file));
const service = { ...given, root: certificate(given.authority), iaca: certificate(given.iaca) };
const people = await residents(service);

try {
  const held = await byCard(service, people[0]);
  const offered = await byOffer(service, people[1]);
  const presenter = new Presenter(service, new Party(service.url, service.data, 'demo-bank'));
  await presents(presenter, held);
  await verdicts(presenter, await signedAnew(service, held), 'accepted', 'of copies that were signed anew');
  if (service.irmago) await shownByIrmago(service, presenter, held);
  await refusedIssuing(service, people[2], people[3], given.strangers);
  await refusedPresenting(presenter, held, given.strangers);
  await lostAndFound(service, presenter, held);
  const newPhone = await byOffer(service, people[1]);
  await verdicts(presenter, newPhone, 'accepted', 'of the new phone');
  await replaced(service, presenter, offered);
  if (service.irmago) await endedByIrmago(service, offered);
  if (service.wallet) await asked(service);
  await revoked(service, presenter, newPhone, people[1]);
  await check('the root, and the lists of what was revoked, are where certificates say', async () => {
    const of = async (path) => Buffer.from(await (await fetch(service.url + path)).arrayBuffer());
    equal((await of('/iaca.cer')).toString('hex'), service.iaca.raw.toString('hex'), 'the root');
    // Document signer, status signer, readers, metadata signer, both roots, TLS.
    const n = await writeSeen(given.certificates, service.url, [service.iaca, service.root], { revoked: await of('/iaca.crl'), 'revoked-verifiers': await of('/authority.crl') });
    ok(n >= 7, `there are only ${n} certificates`);
  });
} catch (e) {
  console.log(`FAILED  the story ends early: ${e.message}`);
  if (process.env.ROLLCALL_TRACE) console.log(e);
  total();
  process.exit(1);
}
process.exit(total());
