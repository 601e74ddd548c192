// A second wallet of another maker, irmago (../irmago), judges cards by the lists of revoked
// certificates and of statuses, reads requests and answers them.
import { execFileSync } from 'node:child_process';
import { check, equal, ok } from './checks.mjs';
import { SDJWT } from './issuing.mjs';
import { newKey } from './wallet.mjs';

const QUERY = {
  credentials: [{
    id: SDJWT, format: 'dc+sd-jwt', meta: { vct_values: [] }, claims: [{ path: ['family_name'] }, { path: ['age_equal_or_over', '19'] }],
  }],
};
const otherLetter = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

export class Irmago {
  constructor(service) {
    this.service = service;
  }

  run(command) {
    return JSON.parse(execFileSync(this.service.irmago, { input: JSON.stringify(command), encoding: 'utf8', env: { ...process.env, SSL_CERT_FILE: this.service.trusted } }));
  }

  card(card, trust = {}) {
    return this.run({ do: 'card', card, root: this.service.iacaFile, lists: `${this.service.url}/iaca.crl`, ...trust });
  }

  verifier(command) {
    return this.run({ root: this.service.authority, lists: `${this.service.url}/authority.crl`, ...command });
  }

  ask(presenter, held) {
    const query = structuredClone(QUERY);
    query.credentials[0].meta.vct_values = [held.sdjwts[0].payload.vct];
    return presenter.ask({ dcql_query: query });
  }
}

const refuses = (what, why, run) => check(`irmago refuses ${what}`, async () => {
  const { refused } = await run();
  ok(refused, 'it was accepted');
  ok(why.test(refused), `for another reason: ${refused}`);
});

export async function shownByIrmago(service, presenter, held) {
  const irmago = new Irmago(service);
  const [card] = held.sdjwts;
  await check('irmago accepts our SD-JWT: its signer, its disclosures, and its status by the list that it fetches', async () => {
    const { refused, claims } = irmago.card(card.text);
    equal(refused, undefined, 'why it is refused');
    equal([claims.family_name, claims.age_equal_or_over['19']], [card.payload.family_name, card.payload.age_equal_or_over['19']], 'what it reads');
  });
  const [signed, ...others] = card.text.split('~');
  await refuses("an SD-JWT with the issuer's signature changed", /verif|signature/i, () => irmago.card([otherLetter(signed, signed.length - 20), ...others].join('~')));
  await refuses('an SD-JWT with a changed disclosure', /disclosure|digest|hash/i, () => irmago.card([signed, otherLetter(others[0], others[0].length - 4), ...others.slice(1)].join('~')));
  await refuses('an SD-JWT of an authority that it does not trust', /unknown authority/, () => irmago.card(card.text, { root: service.strangers.maker.root }));

  await check("irmago's client reads our request (x509_hash) and answers it encrypted; the bank is told the name and the age", async () => {
    const begun = await irmago.ask(presenter, held);
    const { refused, verifier } = irmago.verifier({ do: 'show', link: begun.authorization_request, card: card.text, key: card.key });
    equal([refused, verifier], [undefined, 'First Bank of the Demonstration'], 'the outcome');
    const outcome = await presenter.outcome({ begun });
    equal(outcome.verdict, 'accepted', 'the verdict');
    equal(outcome.credentials[0].claims.family_name, card.payload.family_name, 'the name');
  });
  for (const [what, change] of [
    ['the nonce of another request', () => ({ nonce: 'another' })],
    ['the audience of another verifier', () => ({ audience: 'x509_hash:another' })],
    ['a changed issuer signature', () => ({ card: [otherLetter(signed, signed.length - 20), ...others].join('~') })],
  ]) {
    await check(`the service refuses what irmago shows with ${what}`, async () => {
      const begun = await irmago.ask(presenter, held);
      const { refused } = irmago.verifier({ do: 'show', link: begun.authorization_request, card: card.text, key: card.key, ...change() });
      ok(/status code 400/.test(refused ?? ''), `the answer is not 400: ${refused}`);
      ok((await presenter.outcome({ begun })).verdict !== 'accepted', 'the bank is told that it is accepted');
    });
  }
  await check('irmago does not show a card whose key it does not have', async () => {
    const begun = await irmago.ask(presenter, held);
    ok(/private key/.test(irmago.verifier({ do: 'show', link: begun.authorization_request, card: card.text, key: await newKey() }).refused ?? ''), 'it does');
  });

  const begun = await irmago.ask(presenter, held);
  const request = await (await fetch(begun.request_uri)).text();
  await refuses('our request if it does not trust who vouches for verifiers', /unknown authority/, () => irmago.verifier({ do: 'request', request, root: service.strangers.maker.root }));
  await refuses('our request with a changed signature', /signature|verification/i, () => irmago.verifier({ do: 'request', request: otherLetter(request, request.length - 20) }));
}

export const endedByIrmago = (service, held) => refuses('the card that another one ended, by its status', /status is invalid/, () => new Irmago(service).card(held.sdjwts[0].text));

// What irmago says after signers were revoked; request is one that was signed before.
export async function revokedByIrmago(service, held, again, request) {
  const irmago = new Irmago(service);
  await refuses('a card by the revoked document signer', /revoked/, () => irmago.card(held.sdjwts[0].text));
  await check('irmago accepts the card that was issued again, and its status by a list of the next signer', async () => equal(irmago.card(again.sdjwts[0].text).refused, undefined, 'why it is refused'));
  await refuses('a request that the verifier signed before it was revoked', /revoked/, () => irmago.verifier({ do: 'request', request }));
}
