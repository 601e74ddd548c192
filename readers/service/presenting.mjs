// A wallet of another maker shows cards to the service, and what was changed is
// refused: @openid4vc/openid4vp reads requests and sends answers, dcql chooses,
// @owf/mdoc, @auth0/mdl and @sd-jwt/sd-jwt-vc make presentations, jose encrypts.
import { createHash } from 'node:crypto';
import * as auth0 from '@auth0/mdl';
import { Openid4vpClient } from '@openid4vc/openid4vp';
import * as owf from '@owf/mdoc';
import { DcqlQuery } from 'dcql';
import * as jose from 'jose';
import { coseKey, ctx, NAMESPACE, sdjwtInstance } from './cards.mjs';
import { check, equal, must, ok } from './checks.mjs';
import { MDOC, SDJWT } from './issuing.mjs';
import { bare, callbacks, newKey } from './wallet.mjs';

const b64 = (b) => Buffer.from(b).toString('base64url');
const ENC = ['A128GCM', 'A256GCM'];
// What the bank asks for, as it is called in each format.
const ELEMENTS = ['family_name', 'age_over_19'];
const FRAME = { family_name: true, age_equal_or_over: { 19: true } };

// The key identifier of who signed a certificate (2.5.29.35), base64url.
function authorityOf(der) {
  const at = der.indexOf(Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23]));
  const key = der.indexOf(0x80, at + 5);
  return b64(der.subarray(key + 2, key + 2 + der[key + 1]));
}

export class Presenter {
  constructor(service, bank) {
    Object.assign(this, { service, bank });
    this.client = new Openid4vpClient({ callbacks: callbacks({ root: service.root, fetch: (url, init) => this.fetch(url, init) }) });
  }

  async fetch(url, init) {
    const answer = await fetch(url, init);
    const text = await answer.clone().text();
    this.last = { status: answer.status, text };
    return answer;
  }

  ask(body = { elements: ELEMENTS }) {
    return this.bank.ask('POST', '/vp/transactions', body);
  }

  // Reads the request in a QR code or link.
  async open(begun, method = 'post') {
    let link = begun.authorization_request;
    if (method === 'get') link = link.replace(/&?request_uri_method=post/, '');
    const { params } = this.client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link });
    const resolved = await this.client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params });
    return { ...resolved, payload: resolved.authorizationRequestPayload, begun };
  }

  // dcql says which of the cards answer it.
  choose(request, held) {
    const query = DcqlQuery.parse(request.dcql.query);
    DcqlQuery.validate(query);
    const credentials = [];
    for (const m of held.mdocs.slice(0, 1)) {
      credentials.push({
        credential_format: 'mso_mdoc', doctype: NAMESPACE, namespaces: { [NAMESPACE]: m.issuerSigned.getPrettyClaims(NAMESPACE) }, cryptographic_holder_binding: true,
        authority: { type: 'aki', values: [authorityOf(Buffer.from(m.issuerSigned.issuerAuth.certificate))] },
      });
    }
    for (const s of held.sdjwts.slice(0, 1)) {
      const { x5c } = JSON.parse(Buffer.from(s.text.split('.')[0], 'base64url').toString());
      credentials.push({
        credential_format: 'dc+sd-jwt', vct: s.payload.vct, claims: s.payload, cryptographic_holder_binding: true,
        authority: { type: 'aki', values: [authorityOf(Buffer.from(x5c[0], 'base64'))] },
      });
    }
    return DcqlQuery.query(query, credentials);
  }

  async transcript({ payload }, change = {}) {
    const key = payload.client_metadata.jwks.keys[0];
    return owf.SessionTranscript.forOid4Vp({
      clientId: payload.client_id, nonce: payload.nonce, responseUri: payload.response_uri,
      jwkThumbprint: Buffer.from(await jose.calculateJwkThumbprint(bare(key)), 'base64url'), ...change,
    }, ctx);
  }

  async mdoc(request, card, { session, key = card.key, elements = ELEMENTS, issuerSigned = card.issuerSigned } = {}) {
    const itemsRequest = owf.ItemsRequest.create({ docType: NAMESPACE, namespaces: { [NAMESPACE]: Object.fromEntries(elements.map((e) => [e, false])) } });
    const response = await owf.Holder.createDeviceResponseForDeviceRequest({
      deviceRequest: owf.DeviceRequest.create({ docRequests: [owf.DocRequest.create({ itemsRequest })] }),
      sessionTranscript: await this.transcript(request, session), issuerSigned: [issuerSigned], signature: { signingKey: coseKey(key) },
    }, ctx);
    return Buffer.from(response.encode());
  }

  async mdocByAuth0(request, card) {
    const text = (t) => Buffer.concat([Buffer.from(t.length < 24 ? [0x60 | t.length] : [0x78, t.length]), Buffer.from(t)]);
    const whole = Buffer.concat([
      Buffer.from([0xa3]), text('version'), text('1.0'), text('documents'), Buffer.from([0x81, 0xa2]), text('docType'), text(NAMESPACE), text('issuerSigned'),
      Buffer.from(card.text, 'base64url'), text('status'), Buffer.from([0]),
    ]);
    const transcript = Buffer.from((await this.transcript(request)).encode());
    const head = transcript.length < 256 ? [0xd8, 0x18, 0x58, transcript.length] : [0xd8, 0x18, 0x59, transcript.length >> 8, transcript.length & 255];
    const response = await auth0.DeviceResponse.from(new Uint8Array(whole))
      .usingPresentationDefinition({
        id: 'bank',
        input_descriptors: [{
          id: NAMESPACE, format: { mso_mdoc: { alg: ['ES256'] } },
          constraints: { limit_disclosure: 'required', fields: ELEMENTS.map((e) => ({ path: [`$['${NAMESPACE}']['${e}']`], intent_to_retain: false })) },
        }],
      })
      .usingSessionTranscriptBytes(Buffer.concat([Buffer.from(head), transcript]))
      .authenticateWithSignature({ ...card.key, kid: 'device' }, 'ES256')
      .sign();
    return Buffer.from(response.encode());
  }

  async sdjwt({ payload }, card, { kb = {}, key = card.key, frame = FRAME, text = card.text } = {}) {
    return sdjwtInstance(this.service, key).present(text, frame, {
      kb: { payload: { iat: Math.floor(Date.now() / 1000), aud: payload.client_id, nonce: payload.nonce, ...kb } },
    });
  }

  // Encrypts and sends an answer, as the library does it.
  async send(request, vpToken, enc = 'A256GCM') {
    const { jarm } = await this.client.createOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: request.payload, authorizationResponsePayload: { vp_token: vpToken },
      jarm: {
        encryption: { nonce: 'wallet' },
        serverMetadata: { authorization_signing_alg_values_supported: ['ES256'], authorization_encryption_alg_values_supported: ['ECDH-ES'], authorization_encryption_enc_values_supported: [enc] },
      },
    });
    const { response } = await this.client.submitOpenid4vpAuthorizationResponse({ authorizationRequestPayload: request.payload, authorizationResponsePayload: { vp_token: vpToken }, jarm });
    return response;
  }

  // The same by hand, to be changed.
  async sendRaw(request, answer, { header = {}, key, field = 'response', enc = 'A256GCM', plain } = {}) {
    const to = request.payload.client_metadata.jwks.keys[0];
    const body = field === 'response'
      ? await new jose.CompactEncrypt(Buffer.from(plain ?? JSON.stringify(answer))).setProtectedHeader({ alg: 'ECDH-ES', enc, kid: to.kid, ...header }).encrypt(await jose.importJWK(key ?? to, 'ECDH-ES'))
      : JSON.stringify(answer.vp_token);
    return this.fetch(request.payload.response_uri, { method: 'POST', body: new URLSearchParams({ [field]: body, ...(field !== 'response' && { state: answer.state }) }) });
  }

  outcome(request) {
    return this.bank.ask('GET', `/vp/transactions/${request.begun.transaction}`);
  }
}

const QUERY = { mdoc: MDOC, sdjwt: SDJWT };
const BY = { mdoc: '@owf/mdoc', sdjwt: '@sd-jwt/sd-jwt-vc' };
export const encode = (format, shown) => (format === 'mdoc' ? b64(shown) : shown);
const cardOf = (held, format) => (format === 'mdoc' ? held.mdocs[0] : held.sdjwts[0]);

// Shows a card once, and says what came of it.
async function show(presenter, held, format, { enc, make } = {}) {
  const request = await presenter.open(await presenter.ask());
  const shown = make ? await make(request) : await presenter[format](request, cardOf(held, format));
  const response = await presenter.send(request, { [QUERY[format]]: [encode(format, shown)] }, enc);
  const body = await response.json();
  return { status: response.status, body, outcome: await presenter.outcome(request), request };
}

export async function verdicts(presenter, held, want, when) {
  for (const format of ['mdoc', 'sdjwt']) {
    await check(`the bank is told "${want}" ${when} (${BY[format]})`, async () => {
      const { status, body, outcome } = await show(presenter, held, format);
      equal([status, body.error], want === 'not-valid' ? [400, 'invalid_request'] : [200, undefined], 'the answer to the wallet');
      equal(outcome.verdict, want, 'the verdict');
      if (want !== 'accepted') ok(outcome.credentials.every((c) => !c.claims), 'claims are told of a card that is not accepted');
    });
  }
}

export async function presents(presenter, held) {
  for (const method of ['get', 'post']) {
    await must(`@openid4vc/openid4vp accepts our signed request by ${method.toUpperCase()}, x509_hash`, async () => {
      const request = await presenter.open(await presenter.ask(), method);
      equal([request.client.prefix, request.payload.response_mode, request.version >= 100 || request.version], ['x509_hash', 'direct_post.jwt', true], 'what it is');
      ok(request.jar, 'it is not signed');
    });
  }
  await check('our request carries the nonce of the wallet that asks for it by POST', async () => {
    const begun = await presenter.ask();
    const answer = await fetch(begun.request_uri, { method: 'POST', body: new URLSearchParams({ wallet_nonce: 'of this wallet', wallet_metadata: JSON.stringify({ vp_formats_supported: {} }) }) });
    equal(answer.headers.get('content-type'), 'application/oauth-authz-req+jwt', 'the type');
    equal(jose.decodeJwt(await answer.text()).wallet_nonce, 'of this wallet', 'wallet_nonce');
  });
  await check('dcql finds that either card answers our query, trusted_authorities included', async () => {
    const request = await presenter.open(await presenter.ask());
    const result = presenter.choose(request, held);
    ok(result.can_be_satisfied, `nothing answers it: ${JSON.stringify(result.credential_matches)}`);
    for (const id of [MDOC, SDJWT]) ok(result.credential_matches[id].success, `${id} does not`);
    ok(!presenter.choose(request, { mdocs: [], sdjwts: [] }).can_be_satisfied, 'no cards do, too');
  });
  for (const format of ['mdoc', 'sdjwt']) {
    for (const enc of ENC) {
      await check(`the service accepts a presentation by ${BY[format]}, sent by @openid4vc/openid4vp in ${enc}`, async () => {
        const { status, outcome } = await show(presenter, held, format, { enc });
        equal([status, outcome.state, outcome.verdict], [200, 'answered', 'accepted'], 'the answer');
        const [{ claims }] = outcome.credentials;
        const got = format === 'mdoc' ? claims[NAMESPACE] : claims;
        equal([got.family_name, format === 'mdoc' ? got.age_over_19 : got.age_equal_or_over['19']], [held.sdjwts[0].payload.family_name, held.sdjwts[0].payload.age_equal_or_over['19']], 'what was shown');
      });
    }
  }
  await check('the service accepts a presentation by @auth0/mdl', async () => {
    const { status, outcome } = await show(presenter, held, 'mdoc', { make: (request) => presenter.mdocByAuth0(request, held.mdocs[0]) });
    equal([status, outcome.verdict], [200, 'accepted'], 'the answer');
  });
  await check('in the same device, the result is for whoever has the response_code', async () => {
    const request = await presenter.open(await presenter.ask({ elements: ELEMENTS, redirect_uri: 'https://bank.example/done' }));
    const response = await presenter.send(request, { [SDJWT]: [await presenter.sdjwt(request, held.sdjwts[0])] });
    const { redirect_uri: redirect } = await response.json();
    const code = new URLSearchParams(new URL(redirect).hash.slice(1)).get('response_code');
    const path = `/vp/transactions/${request.begun.transaction}`;
    equal((await presenter.bank.ask('GET', `${path}?response_code=${code}`)).verdict, 'accepted', 'the verdict');
    await presenter.bank.ask('GET', path).then(() => { throw new Error('it is told without the code'); }, (e) => equal(e.status, 403, 'the status without the code'));
  });
}

// Changed copies of a DeviceResponse.
function flipped(buffer, position) {
  const copy = Buffer.from(buffer);
  copy[position] ^= 1;
  return copy;
}
// The last byte of the first value that is shown.
function valueByte(buffer) {
  let at = buffer.indexOf('elementValue') + 'elementValue'.length;
  for (;;) {
    const [major, low] = [buffer[at] >> 5, buffer[at] & 31];
    const head = low < 24 ? 1 : 1 + (1 << (low - 24));
    const length = low < 24 ? low : buffer.readUIntBE(at + 1, head - 1);
    if (major === 6) at += head;
    else if (major === 2 || major === 3) return at + head + length - 1;
    else return at + head - 1;
  }
}
// Signatures are strings of 64 bytes: the issuer's first, the device's last.
function signatures(buffer) {
  const found = [];
  for (let i = buffer.indexOf(Buffer.from([0x58, 0x40])); i >= 0; i = buffer.indexOf(Buffer.from([0x58, 0x40]), i + 1)) found.push(i + 2);
  return found;
}
const otherLetter = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

async function strangersMdoc(stranger, card) {
  const now = new Date();
  const issuer = new owf.Issuer(NAMESPACE, ctx).addIssuerNamespace(NAMESPACE, { family_name: '김', age_over_19: true });
  return issuer.sign({
    signingKey: coseKey(stranger.jwk), algorithm: owf.SignatureAlgorithm.ES256, digestAlgorithm: 'SHA-256',
    validityInfo: { signed: now, validFrom: now, validUntil: new Date(now.getTime() + 3600_000) }, deviceKeyInfo: { deviceKey: owf.DeviceKey.fromJwk({ ...bare(card.key), alg: 'ES256' }) },
    certificates: [new Uint8Array(Buffer.from(stranger.x5c[0], 'base64'))],
  });
}
async function strangersSDJwt(stranger, card) {
  const instance = sdjwtInstance({}, card.key);
  const { ES256 } = await import('@sd-jwt/crypto-nodejs');
  instance.config({ signer: await ES256.getSigner(stranger.jwk) });
  const iat = Math.floor(Date.now() / 1000);
  return instance.issue(
    { vct: card.payload.vct, iss: card.payload.iss, iat, exp: iat + 3600, cnf: { jwk: bare(card.key) }, status: card.payload.status, family_name: '김', age_equal_or_over: { 19: true } },
    { _sd: ['family_name'], age_equal_or_over: { _sd: ['19'] } }, { header: { x5c: stranger.x5c, typ: 'dc+sd-jwt' } },
  );
}

export async function refusedPresenting(presenter, held, strangers) {
  const [mdoc] = held.mdocs;
  const [sdjwt] = held.sdjwts;
  const other = await newKey();
  const now = () => Math.floor(Date.now() / 1000);
  const refuses = (what, send) => check(`the service refuses ${what}`, async () => {
    const request = await presenter.open(await presenter.ask());
    const response = await send(request);
    const { error } = await response.json();
    equal([response.status, error], [400, 'invalid_request'], 'the answer');
    const outcome = await presenter.outcome(request);
    ok(outcome.verdict !== 'accepted' && !(outcome.credentials ?? []).some((c) => c.claims), 'the bank is told that it is accepted');
  });
  const token = (format, make) => async (request) => presenter.send(request, { [QUERY[format]]: [encode(format, await make(request))] });
  const changed = (change) => async (request) => change(await presenter.mdoc(request, mdoc));

  for (const [what, make] of [
    ['an element that was changed', changed((r) => flipped(r, valueByte(r)))],
    ["the issuer's signature changed", changed((r) => flipped(r, signatures(r)[0] + 63))],
    ["the device's signature changed", changed((r) => flipped(r, signatures(r).at(-1) + 63))],
    ['the nonce of another request', (r) => presenter.mdoc(r, mdoc, { session: { nonce: 'another' } })],
    ['the client_id of another verifier', (r) => presenter.mdoc(r, mdoc, { session: { clientId: 'x509_hash:another' } })],
    ['another response_uri', (r) => presenter.mdoc(r, mdoc, { session: { responseUri: `${r.payload.response_uri}x` } })],
    ['the thumbprint of another key', (r) => presenter.mdoc(r, mdoc, { session: { jwkThumbprint: createHash('sha256').update('x').digest() } })],
    ['no thumbprint', (r) => presenter.mdoc(r, mdoc, { session: { jwkThumbprint: undefined } })],
    ['the signature of another device', (r) => presenter.mdoc(r, mdoc, { key: other })],
    ['the signature of the key of another copy', (r) => presenter.mdoc(r, mdoc, { key: held.mdocs[1]?.key ?? other })],
    ['less than was asked for', (r) => presenter.mdoc(r, mdoc, { elements: ['family_name'] })],
    ['a card that a stranger issued', async (r) => presenter.mdoc(r, mdoc, { issuerSigned: await strangersMdoc(strangers.maker, mdoc) })],
  ]) await refuses(`an mdoc with ${what}`, token('mdoc', make));

  const kb = (claims) => (r) => presenter.sdjwt(r, sdjwt, { kb: claims() });
  const part = (change) => async (r) => change((await presenter.sdjwt(r, sdjwt)).split('~')).join('~');
  for (const [what, make] of [
    ['the nonce of another request', kb(() => ({ nonce: 'another' }))],
    ['the audience of another verifier', kb(() => ({ aud: 'x509_hash:another' }))],
    ['a key binding of the future', kb(() => ({ iat: now() + 3600 }))],
    ['a key binding of yesterday', kb(() => ({ iat: now() - 86400 }))],
    ['a changed key binding', part((p) => [...p.slice(0, -1), otherLetter(p.at(-1), p.at(-1).length - 20)])],
    ['the signature of another device', (r) => presenter.sdjwt(r, sdjwt, { key: other })],
    ['no key binding', part((p) => [...p.slice(0, -1), ''])],
    ['a disclosure less than was bound', part((p) => [p[0], ...p.slice(2)])],
    ['a disclosure more than was bound', async (r) => {
      const shown = (await presenter.sdjwt(r, sdjwt)).split('~');
      const more = sdjwt.text.split('~').slice(1, -1).find((d) => !shown.includes(d));
      return [shown[0], more, ...shown.slice(1)].join('~');
    }],
    ['a disclosure that was changed', part((p) => [p[0], otherLetter(p[1], p[1].length - 4), ...p.slice(2)])],
    ["the issuer's signature changed", part((p) => [otherLetter(p[0], p[0].length - 20), ...p.slice(1)])],
    ['less than was asked for', (r) => presenter.sdjwt(r, sdjwt, { frame: { family_name: true } })],
    ['a card that a stranger issued', async (r) => presenter.sdjwt(r, sdjwt, { text: await strangersSDJwt(strangers.maker, sdjwt) })],
  ]) await refuses(`an SD-JWT with ${what}`, token('sdjwt', make));

  const good = async (r) => ({ vp_token: { [SDJWT]: [await presenter.sdjwt(r, sdjwt)] }, state: r.payload.state });
  const raw = (options, change = (a) => a) => async (r) => presenter.sendRaw(r, change(await good(r)), options);
  for (const [what, send] of [
    ['that is not encrypted', raw({ field: 'vp_token' })],
    ['in A128CBC-HS256', raw({ enc: 'A128CBC-HS256' })],
    ['for another key', raw({ key: bare(other) })],
    ['whose key has another name', raw({ header: { kid: 'another' } })],
    ['with the state of another transaction', raw({}, (a) => ({ ...a, state: 'another' }))],
    ['to a part of the query that there is not', raw({}, (a) => ({ ...a, vp_token: { passport: a.vp_token[SDJWT] } }))],
    ['with the SD-JWT as an mdoc', raw({}, (a) => ({ ...a, vp_token: { [MDOC]: a.vp_token[SDJWT] } }))],
    ['without presentations', raw({}, (a) => ({ ...a, vp_token: {} }))],
    ['that is no JSON', raw({ plain: 'no JSON' })],
  ]) await refuses(`an answer ${what}`, send);

  await check('the service refuses an answer a second time', async () => {
    const request = await presenter.open(await presenter.ask());
    const answer = await good(request);
    equal((await presenter.sendRaw(request, answer)).status, 200, 'the first');
    const again = await presenter.sendRaw(request, answer);
    equal([again.status, (await again.json()).error], [400, 'invalid_request'], 'the second');
    equal((await presenter.outcome(request)).verdict, 'accepted', 'the verdict on the first');
  });
  for (const format of ['mdoc', 'sdjwt']) {
    await refuses(`what ${BY[format]} made for another transaction`, async (request) => {
      const first = await presenter.open(await presenter.ask());
      return presenter.send(request, { [QUERY[format]]: [encode(format, await presenter[format](first, cardOf(held, format)))] });
    });
  }
  await check('the bank may not ask for what it was not allowed', async () => {
    await presenter.ask({ elements: ['sex'] }).then(() => { throw new Error('it may'); }, (e) => equal(e.status, 403, 'the status'));
  });
}
