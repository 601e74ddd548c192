// A wallet of another maker is issued cards, by card and face and by a clerk's code.
import { createHash, X509Certificate } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { check, equal, must, ok } from './checks.mjs';
import { readMdoc, readSDJwt } from './cards.mjs';
import { Party } from './parties.mjs';
import { bare, newKey, Wallet } from './wallet.mjs';

export const MDOC = 'rrc_mdoc';
export const SDJWT = 'rrc_sd_jwt';
const BOTH = 'rrc_mdoc rrc_sd_jwt';
const newKeys = (n) => Promise.all(Array.from({ length: n }, newKey));

// refuses: the wallet's last answer is a refusal, by this code.
export const refuses = (wallet, what, status, code, body) =>
  check(`the service refuses ${what} (${code})`, async () => {
    wallet.last = undefined;
    try {
      await body();
    } catch (e) {
      if (!wallet.last) throw e;
    } finally {
      wallet.tamper = undefined;
    }
    const { last } = wallet;
    equal([last?.status, last?.body?.error ?? last?.body?.code], [status, code], `the answer to ${new URL(last?.url ?? 'none:').pathname}`);
  });

const changedForm = (change) => (init) => {
  const form = new URLSearchParams(String(init.body));
  change(form);
  return { ...init, body: form };
};
const changedHeader = (name, value) => (init) => {
  const headers = new Headers(init.headers);
  headers.set(name, value(headers.get(name)));
  return { ...init, headers };
};
// Only requests to this path are changed.
const at = (path, change) => (url, init) => (new URL(url).pathname === path ? change(init) : undefined);
const otherSignature = (jwt) => {
  const [h, p, s] = jwt.split('.');
  return [h, p, (s[20] === 'A' ? 'B' : 'A').padStart(21, s.slice(0, 20)) + s.slice(21)].join('.');
};

export async function residents(service) {
  const all = await (await fetch(`${service.url}/demo/residents`)).json();
  return all.filter((r) => r.chip);
}

// The happy path by card and face: both formats, batches, either proof, encrypted.
export async function byCard(service, citizen) {
  const wallet = await Wallet.make(service);
  await must('@openid4vc/openid4vci reads the signed metadata, and finds its signature good', async () => {
    const m = await wallet.discover();
    ok(m.signedCredentialIssuer, 'the metadata was not signed');
    equal(Object.keys(m.knownCredentialConfigurations).sort(), [MDOC, SDJWT], 'the configurations that it knows');
    equal(m.originalDraftVersion, 'V1', 'the version');
  });
  let token;
  await must('@openid4vc/oauth2 is authorised by PAR, PKCE, DPoP with nonces, wallet attestation, card and face', async () => {
    const before = wallet.log.length;
    token = await wallet.authorise(citizen, BOTH);
    equal(token.token_type, 'DPoP', 'the token_type');
    const nonces = wallet.log.slice(before).filter((l) => l.body?.error === 'use_dpop_nonce');
    ok(nonces.length > 0, 'no DPoP nonce was demanded');
  });
  const cards = {};
  const keys = { [MDOC]: await newKeys(3), [SDJWT]: await newKeys(3) };
  await must('@openid4vc/openid4vci gets a batch of mdocs by a jwt proof with a key attestation', async () => {
    cards[MDOC] = await wallet.issue(token, MDOC, keys[MDOC], { type: 'jwt' });
    equal(cards[MDOC].credentials.length, 3, 'the number of copies');
  });
  await must('jose opens an encrypted batch of SD-JWTs, got by an attestation proof (A256GCM)', async () => {
    cards[SDJWT] = await wallet.issue(token, SDJWT, keys[SDJWT], { type: 'attestation', enc: 'A256GCM' });
    equal(cards[SDJWT].credentials.length, 3, 'the number of copies');
  });
  const held = { wallet, token, citizen, mdocs: [], sdjwts: [] };
  await must('@owf/mdoc accepts each mdoc, each for its key', async () => {
    for (const [i, { credential }] of cards[MDOC].credentials.entries()) {
      const card = await readMdoc(service, credential);
      equal(bare(card.deviceKey), bare(keys[MDOC][i]), 'the key of the mdoc');
      held.mdocs.push({ ...card, key: keys[MDOC][i] });
    }
  });
  await must('@sd-jwt/sd-jwt-vc accepts each SD-JWT, each for its key', async () => {
    for (const [i, { credential }] of cards[SDJWT].credentials.entries()) {
      const card = await readSDJwt(service, credential);
      equal(bare(card.payload.cnf.jwk), bare(keys[SDJWT][i]), 'the key of the SD-JWT');
      equal(card.payload.family_name + card.payload.given_name, citizen.name, 'the name');
      held.sdjwts.push({ ...card, key: keys[SDJWT][i] });
    }
  });
  await check('every copy has a place of its own on the status lists', () => {
    const places = [...held.mdocs, ...held.sdjwts].map((c) => `${c.status.uri} ${c.status.idx}`);
    equal(new Set(places).size, places.length, 'the number of places');
  });
  await check('@openid4vc/openid4vci notifies that the credentials are accepted', async () => {
    for (const c of Object.values(cards)) await wallet.notify(token, c.notification_id, 'credential_accepted');
  });
  held.notification = cards[MDOC].notification_id;
  return held;
}

// A clerk's code.
export async function byOffer(service, citizen) {
  const wallet = await Wallet.make(service);
  await wallet.discover();
  const clerk = new Party(service.url, service.data, 'demo-clerk');
  let scanned;
  let offer;
  await must('@openid4vc/openid4vci reads the offer of a clerk, by reference', async () => {
    offer = await clerk.ask('POST', `/residents/${citizen.id}/offers`, {});
    ok(/[?&]credential_offer_uri=/.test(offer.uri), 'the offer is not by reference');
    scanned = await wallet.scan(offer.uri);
    equal(scanned.offer.credential_issuer, service.url, 'the issuer');
  });
  const wrong = offer.tx_code === '000000' ? '000001' : '000000';
  await refuses(wallet, 'a code before the face was checked', 400, 'invalid_grant', () => wallet.redeemOffer(scanned, offer.tx_code));
  await refuses(wallet, 'a wrong tx_code', 400, 'invalid_grant', () => wallet.redeemOffer(scanned, wrong));
  let token;
  await must('@openid4vc/openid4vci redeems the pre-authorized code after the face check', async () => {
    await wallet.lookForOffer(scanned, citizen, offer.tx_code);
    token = await wallet.redeemOffer(scanned, offer.tx_code);
  });
  await refuses(wallet, 'the code a second time', 400, 'invalid_grant', () => wallet.redeemOffer(scanned, offer.tx_code));
  const keys = await newKeys(2);
  const held = { wallet, token, citizen, mdocs: [], sdjwts: [] };
  await must('it gets an mdoc by an attestation proof, and an encrypted SD-JWT by a jwt proof (A128GCM)', async () => {
    const mdoc = await wallet.issue(token, MDOC, keys.slice(0, 1), { type: 'attestation' });
    held.mdocs.push({ ...(await readMdoc(service, mdoc.credentials[0].credential)), key: keys[0] });
    const sd = await wallet.issue(token, SDJWT, keys.slice(1), { type: 'jwt', enc: 'A128GCM' });
    held.sdjwts.push({ ...(await readSDJwt(service, sd.credentials[0].credential)), key: keys[1] });
  });
  return held;
}

// A card lasts longer than who signs it: its wallet has the copies signed anew.
export async function signedAnew(service, held) {
  const { wallet } = held;
  const fresh = { ...held, mdocs: [], sdjwts: [] };
  await must('@openid4vc/oauth2 refreshes the token, and gets another refresh token with it', async () => {
    fresh.token = await wallet.refresh(held.token);
    equal(fresh.token.scope.split(' ').sort(), ['rrc_mdoc', 'rrc_sd_jwt', 'self'], 'the scope');
    ok(fresh.token.refresh_token && fresh.token.refresh_token !== held.token.refresh_token, 'it is the same');
  });
  await must('@openid4vc/openid4vci gets the copies signed anew, for other keys, at the places that they had', async () => {
    for (const [config, copies, read] of [[MDOC, 'mdocs', readMdoc], [SDJWT, 'sdjwts', readSDJwt]]) {
      const keys = await newKeys(held[copies].length);
      for (const [i, { credential }] of (await wallet.issue(fresh.token, config, keys, { type: 'attestation' })).credentials.entries()) {
        fresh[copies].push({ ...(await read(service, credential)), key: keys[i] });
      }
      equal(fresh[copies].map((c) => c.status), held[copies].map((c) => c.status), `the places of ${copies}`);
    }
  });
  await must('@owf/mdoc and @sd-jwt/sd-jwt-vc find that a copy ends with its signer, and the mdoc when it is to be signed anew', () => {
    const { validUntil, expectedUpdate } = fresh.mdocs[0].issuerSigned.issuerAuth.mobileSecurityObject.validityInfo;
    const [certificate] = decodeProtectedHeader(fresh.sdjwts[0].text.split('~')[0]).x5c;
    const end = new Date(new X509Certificate(Buffer.from(certificate, 'base64')).validTo);
    equal([validUntil, new Date(fresh.sdjwts[0].payload.exp * 1000)].map(Number), [end, end].map(Number), 'the ends');
    equal(Number(expectedUpdate), end - 30 * 24 * 3600_000, 'expectedUpdate');
  });
  return fresh;
}

// What the service must refuse. Nothing of it issues a card.
export async function refusedIssuing(service, citizen, other, strangers) {
  const wallet = await Wallet.make(service);
  await wallet.discover();
  const par = (what, status, code, change) => refuses(wallet, what, status, code, () => {
    wallet.tamper = at('/oauth/par', change);
    return wallet.push(MDOC);
  });
  const good = wallet.attestation;
  const attested = (what, attestation, status = 401, error = 'invalid_client_attestation') => refuses(wallet, what, status, error, async () => {
    wallet.attestation = await attestation();
    try {
      await wallet.push(MDOC);
    } finally {
      wallet.attestation = good;
    }
  });
  await attested('a wallet that another provider attests', () => wallet.attest(strangers.provider));
  await attested('an expired wallet attestation', () => wallet.attest(service.provider, { issuedAt: new Date(Date.now() - 7200_000), expiresAt: new Date(Date.now() - 3600_000) }), 400, 'use_fresh_attestation');
  await attested('a wallet attestation with a changed signature', () => otherSignature(good));
  await attested('a wallet attestation for another key', async () => {
    const mine = wallet.instance;
    wallet.instance = await newKey();
    const jwt = await wallet.attest(service.provider);
    wallet.instance = mine;
    // The library would look for the attested key: the proof is made with ours.
    wallet.tamper = at('/oauth/par', changedHeader('OAuth-Client-Attestation', () => jwt));
    return good;
  });
  await par('a changed proof of possession', 401, 'invalid_client_attestation', changedHeader('OAuth-Client-Attestation-PoP', otherSignature));
  await par('a request without PKCE', 400, 'invalid_request', changedForm((f) => f.delete('code_challenge')));
  await par('plain PKCE', 400, 'invalid_request', changedForm((f) => f.set('code_challenge_method', 'plain')));
  await par('an unknown scope', 400, 'invalid_scope', changedForm((f) => f.set('scope', 'passport')));
  await par('a changed DPoP proof', 400, 'invalid_dpop_proof', changedHeader('DPoP', (jwt) => jwt && otherSignature(jwt)));

  const evidence = (what, options) => refuses(wallet, what, 403, 'access_denied', async () => wallet.prove(await wallet.push(MDOC), citizen, options));
  await evidence("another one's face", { face: other });
  await evidence('a card that signed another challenge', { challenge: createHash('sha256').update('another').digest('base64') });

  const request = await wallet.push(BOTH);
  const code = await wallet.prove(request, citizen);
  await refuses(wallet, 'a code with another code_verifier', 400, 'invalid_grant', () => wallet.redeem(request, code, 'x'.repeat(64)));
  const key = wallet.dpopKey;
  await refuses(wallet, 'a code with another DPoP key', 400, 'invalid_grant', async () => {
    wallet.dpopKey = await newKey();
    wallet.callbacks.known.set(`${wallet.dpopKey.x} ${wallet.dpopKey.y}`, wallet.dpopKey);
    await wallet.redeem(request, code).finally(() => (wallet.dpopKey = key));
  });
  const token = await wallet.redeem(request, code);
  await refuses(wallet, 'a code a second time', 400, 'invalid_grant', () => wallet.redeem(request, code));

  const keys = await newKeys(1);
  const credential = (what, status, error, options, config = MDOC) => refuses(wallet, what, status, error, () => wallet.issue(token, config, keys, options));
  const endpoint = wallet.metadata.credentialIssuer.credential_endpoint;
  const ask = (body) => async () => wallet.resource(token, endpoint, { credential_configuration_id: MDOC, ...(await body()) });
  await refuses(wallet, 'a token as Bearer', 401, 'invalid_token', async () =>
    wallet.resource(token, endpoint, { credential_configuration_id: MDOC, proofs: await wallet.proofs(MDOC, keys) }, null));
  await refuses(wallet, 'a token with another DPoP key', 401, 'invalid_dpop_proof', async () => {
    const proofs = await wallet.proofs(MDOC, keys);
    wallet.dpopKey = await newKey();
    wallet.callbacks.known.set(`${wallet.dpopKey.x} ${wallet.dpopKey.y}`, wallet.dpopKey);
    await wallet.resource(token, endpoint, { credential_configuration_id: MDOC, proofs }).finally(() => (wallet.dpopKey = key));
  });
  await refuses(wallet, 'a request without proofs', 400, 'invalid_proof', ask(() => ({})));
  await refuses(wallet, 'an unknown configuration', 400, 'unknown_credential_configuration', ask(async () => ({ credential_configuration_id: 'passport', proofs: await wallet.proofs(MDOC, keys) })));
  await refuses(wallet, 'an unknown credential_identifier', 400, 'unknown_credential_identifier', ask(async () => ({ credential_configuration_id: undefined, credential_identifier: 'passport', proofs: await wallet.proofs(MDOC, keys) })));
  await refuses(wallet, 'encryption by A128CBC-HS256', 400, 'invalid_encryption_parameters', async () => wallet.issueEncrypted(token, MDOC, await wallet.proofs(MDOC, keys), 'A128CBC-HS256'));
  await refuses(wallet, 'an encrypted answer to a request that is not encrypted', 400, 'invalid_encryption_parameters', async () => wallet.issueEncrypted(token, MDOC, await wallet.proofs(MDOC, keys), 'A256GCM', {}, null));
  await credential('a proof for another issuer', 400, 'invalid_proof', { audience: 'https://issuer.example' });
  await credential('a nonce that is made up', 400, 'invalid_nonce', { nonce: 'made-up' });
  await credential("another maker's key attestation", 400, 'invalid_proof', { maker: strangers.maker });
  await credential("another maker's key attestation, as a proof itself", 400, 'invalid_proof', { type: 'attestation', maker: strangers.maker });
  await credential('keys in weak storage', 400, 'invalid_proof', { keyStorage: ['iso_18045_basic'] });
  await refuses(wallet, 'a changed proof', 400, 'invalid_proof', ask(async () => ({ proofs: { jwt: (await wallet.proofs(MDOC, keys)).jwt.map(otherSignature) } })));
  await refuses(wallet, 'more copies than a batch has', 400, 'invalid_proof', ask(async () => ({ proofs: await wallet.proofs(MDOC, await newKeys(11)) })));
  await refuses(wallet, 'a made-up notification_id', 400, 'invalid_notification_id', () => wallet.notify(token, 'made-up', 'credential_accepted'));
  await refuses(wallet, 'a made-up transaction_id', 400, 'invalid_transaction_id', () =>
    wallet.vci.retrieveDeferredCredentials({ issuerMetadata: wallet.metadata, accessToken: token.access_token, dpop: wallet.dpop, transactionId: 'made-up' }));
}
