// A verifier of another maker asks our emulated wallet: @openid4vc/openid4vp makes
// requests and reads answers, dcql, @owf/mdoc, @auth0/mdl and @sd-jwt/sd-jwt-vc
// judge them. The wallet (TestWalletAnswersAnotherMakersVerifier of sim/demo) asks for
// /cases, and must leave what is wrong there unanswered.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import * as auth0 from '@auth0/mdl';
import { Openid4vpVerifier } from '@openid4vc/openid4vp';
import * as owf from '@owf/mdoc';
import { DcqlPresentationResult, DcqlQuery } from 'dcql';
import * as jose from 'jose';
import { ctx, NAMESPACE, sdjwtInstance } from './cards.mjs';
import { check, equal, ok } from './checks.mjs';
import { listen } from './start.mjs';
import { bare, callbacks, newKey } from './wallet.mjs';

const CREDENTIALS = {
  mdoc: { id: 'mdoc', format: 'mso_mdoc', meta: { doctype_value: NAMESPACE }, claims: [{ path: [NAMESPACE, 'family_name'] }, { path: [NAMESPACE, 'age_over_19'], intent_to_retain: false }] },
  sdjwt: { id: 'sdjwt', format: 'dc+sd-jwt', meta: { vct_values: ['urn:kr:go:rollcall:rrc:1'] }, claims: [{ path: ['family_name'] }, { path: ['age_equal_or_over', '19'] }] },
};
const query = (...formats) => ({ credentials: formats.map((f) => CREDENTIALS[f]) });
const EITHER = { ...query('mdoc', 'sdjwt'), credential_sets: [{ options: [['mdoc'], ['sdjwt']] }] };
const b64 = (b) => Buffer.from(b).toString('base64url');
const otherLetter = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

class Verifier {
  constructor(service, key) {
    Object.assign(this, { service, key, authority: service.verifier, requests: new Map(), callbacks: callbacks({ decrypt: key }) });
    this.signer = { method: 'x5c', alg: 'ES256', x5c: this.authority.x5c, key: this.authority.jwk };
    this.clientId = `x509_hash:${b64(createHash('sha256').update(Buffer.from(this.authority.x5c[0], 'base64')).digest())}`;
    this.library = new Openid4vpVerifier({ callbacks: this.callbacks });
  }

  add(name, { method = 'post', dcql = EITHER, enc = ['A128GCM', 'A256GCM'], payload = {}, jwt = {}, signed = (j) => j, link = (l) => l, signer, refused = false, seconds = 300, walletNonce = true } = {}) {
    const id = b64(randomBytes(16));
    const request = { name, id, method, refused, walletNonce, jwt, signed, signer: signer ?? this.signer, seconds };
    request.payload = {
      response_type: 'vp_token', response_mode: 'direct_post.jwt', client_id: this.clientId, response_uri: `${this.url}/response/${id}`, nonce: b64(randomBytes(24)), state: id, dcql_query: dcql,
      client_metadata: {
        jwks: { keys: [{ ...bare(this.key), kid: 'k', use: 'enc', alg: 'ECDH-ES' }] }, encrypted_response_enc_values_supported: enc,
        vp_formats_supported: { mso_mdoc: { issuerauth_alg_values: [-7], deviceauth_alg_values: [-7] }, 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
      },
      ...payload,
    };
    request.link = link(`openid4vp://?${new URLSearchParams({ client_id: this.clientId, request_uri: `${this.url}/request/${id}`, ...(method === 'post' && { request_uri_method: 'post' }) })}`);
    this.requests.set(id, request);
  }

  async object(request, walletNonce) {
    const { jar } = await this.library.createOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: request.payload,
      jar: {
        requestUri: `${this.url}/request/${request.id}`, jwtSigner: request.signer, expiresInSeconds: request.seconds,
        additionalJwtPayload: { aud: 'https://self-issued.me/v2', ...(walletNonce && request.walletNonce && { wallet_nonce: walletNonce }), ...request.jwt },
      },
    });
    return request.signed(jar.authorizationRequestJwt);
  }

  // Signs again what the library would not make.
  async again(jwt, change) {
    return new jose.SignJWT({ ...jose.decodeJwt(jwt), ...change }).setProtectedHeader(jose.decodeProtectedHeader(jwt)).sign(await jose.importJWK(this.authority.jwk, 'ES256'));
  }

  transcript(request, change = {}) {
    return jose.calculateJwkThumbprint(bare(this.key)).then((t) =>
      owf.SessionTranscript.forOid4Vp({ clientId: this.clientId, nonce: request.payload.nonce, responseUri: request.payload.response_uri, jwkThumbprint: Buffer.from(t, 'base64url'), ...change }, ctx));
  }

  async mdoc(request, text, change) {
    const response = Buffer.from(text, 'base64url');
    const sessionTranscript = await this.transcript(request, change);
    await owf.DeviceResponse.decode(new Uint8Array(response)).verify({ sessionTranscript, trustedCertificates: [this.service.iaca.raw], now: new Date() }, ctx);
    const bytes = Buffer.from(sessionTranscript.encode());
    const head = bytes.length < 256 ? [0xd8, 0x18, 0x58, bytes.length] : [0xd8, 0x18, 0x59, bytes.length >> 8, bytes.length & 255];
    const { documents } = await new auth0.Verifier([this.service.iaca.toString()]).verify(response, { encodedSessionTranscript: Buffer.concat([Buffer.from(head), bytes]) });
    equal(documents.length, 1, 'the number of documents');
    return { credential_format: 'mso_mdoc', doctype: documents[0].docType, namespaces: { [NAMESPACE]: documents[0].getIssuerNameSpace(NAMESPACE) }, cryptographic_holder_binding: true };
  }

  async sdjwt(request, text, { aud = this.clientId, nonce = request.payload.nonce } = {}) {
    const { payload, kb } = await sdjwtInstance(this.service).verify(text, { skipStatusCheck: true, keyBindingNonce: nonce });
    equal(kb.payload.aud, aud, 'aud');
    return { credential_format: 'dc+sd-jwt', vct: payload.vct, claims: payload, cryptographic_holder_binding: true };
  }

  async answer(request, response) {
    const parsed = await this.library.parseOpenid4vpAuthorizationResponse({ authorizationResponse: { response }, authorizationRequestPayload: request.payload, callbacks: this.callbacks });
    equal(parsed.authorizationResponsePayload.state, request.id, 'the state');
    const { enc, kid } = jose.decodeProtectedHeader(response);
    ok(request.payload.client_metadata.encrypted_response_enc_values_supported.includes(enc) && kid === 'k', `it is encrypted by ${enc} for ${kid}`);
    const { presentations } = parsed.dcql;
    const shown = {};
    for (const [id, all] of Object.entries(presentations)) {
      equal(all.length, 1, 'the number of presentations');
      shown[id] = [await this[id](request, all[0])];
    }
    const result = DcqlPresentationResult.fromDcqlPresentation(shown, { dcqlQuery: DcqlQuery.parse(request.payload.dcql_query) });
    ok(result.can_be_satisfied, 'what was shown is not what was asked for');
    // What was asked for, and nothing else.
    if (shown.mdoc) equal(Object.keys(shown.mdoc[0].namespaces[NAMESPACE]).length, 2, 'the number of elements shown');
    if (shown.sdjwt) equal(presentations.sdjwt[0].split('~').length - 2, 2, 'the number of disclosures');
    request.presentations = presentations;
  }

  async serve(from, to) {
    const say = (status, type, body) => to.writeHead(status, { 'Content-Type': type }).end(body);
    const [, what, id] = new URL(from.url, this.url).pathname.split('/');
    const parts = [];
    for await (const part of from) parts.push(part);
    const form = new URLSearchParams(Buffer.concat(parts).toString());
    if (what === 'cases') return say(200, 'application/json', JSON.stringify([...this.requests.values()].map(({ name, link, refused }) => ({ name, link, refused }))));
    const request = this.requests.get(id);
    if (!request) return say(404, 'application/json', '{}');
    if (what === 'request') return say(200, 'application/oauth-authz-req+jwt', await this.object(request, form.get('wallet_nonce')));
    request.answered = true;
    try {
      await this.answer(request, form.get('response'));
      return say(200, 'application/json', '{}');
    } catch (e) {
      request.error = e;
      return say(400, 'application/json', JSON.stringify({ error: 'invalid_request', error_description: e.message }));
    }
  }
}

export async function asked(service) {
  const verifier = new Verifier(service, { ...(await newKey()), alg: 'ECDH-ES', use: 'enc', kid: 'k' });
  const server = createServer({ key: readFileSync(service.tls.keyFile), cert: readFileSync(service.tls.certificate) }, (from, to) => verifier.serve(from, to).catch((e) => to.writeHead(500).end(e.message)));
  verifier.url = `https://localhost:${await listen(server)}`;

  verifier.add('for an mdoc, by GET, in A128GCM', { method: 'get', dcql: query('mdoc'), enc: ['A128GCM'] });
  verifier.add('for an SD-JWT, by POST, in A256GCM', { dcql: query('sdjwt'), enc: ['A256GCM'] });
  verifier.add('for both', { dcql: query('mdoc', 'sdjwt') });
  verifier.add('for either');
  const wrong = (name, options) => verifier.add(name, { refused: true, ...options });
  const stranger = { method: 'x5c', alg: 'ES256', x5c: service.strangers.maker.x5c, key: service.strangers.maker.jwk };
  wrong('whose signature was changed', { signed: (j) => otherLetter(j, j.length - 20) });
  wrong('whose claims were changed', { signed: (j) => [j.split('.')[0], b64(JSON.stringify({ ...jose.decodeJwt(j), nonce: 'another' })), j.split('.')[2]].join('.') });
  wrong("with another one's certificate", { signer: stranger });
  wrong("signed by another one's key", { signer: { ...verifier.signer, key: service.strangers.maker.jwk } });
  wrong('for another wallet', { jwt: { aud: 'https://wallet.example' } });
  wrong('whose time is over', { seconds: -60 });
  wrong("without the wallet's nonce", { walletNonce: false });
  wrong("with another wallet's nonce", { walletNonce: false, jwt: { wallet_nonce: 'of another wallet' } });
  wrong('whose link names another verifier', { link: (l) => l.replace(encodeURIComponent(verifier.clientId), 'x509_hash%3Aanother') });
  wrong('whose client_id is no hash of the certificate', { payload: { client_id: 'x509_hash:another' }, link: (l) => l.replace(encodeURIComponent(verifier.clientId), 'x509_hash%3Aanother') });
  wrong('for an answer without encryption', { payload: { response_mode: 'direct_post' } });
  wrong('for an answer without TLS', { signed: (j) => verifier.again(j, { response_uri: 'http://localhost/response' }) });
  wrong('without a key to encrypt to', { signed: (j) => verifier.again(j, { client_metadata: { jwks: { keys: [] } } }) });
  wrong('by value, unsigned', { link: () => `openid4vp://?${new URLSearchParams({ client_id: verifier.clientId, response_type: 'vp_token', nonce: 'x', dcql_query: JSON.stringify(EITHER) })}` });
  wrong('for cards of another type', { dcql: { credentials: [{ ...CREDENTIALS.sdjwt, meta: { vct_values: ['urn:another'] } }] } });
  wrong('for cards of another authority', { dcql: { credentials: [{ ...CREDENTIALS.mdoc, trusted_authorities: [{ type: 'aki', values: [b64(randomBytes(20))] }] }] } });
  wrong('by a query that is none', { signed: (j) => verifier.again(j, { dcql_query: { credentials: [] } }) });

  const said = await new Promise((done) =>
    execFile(service.wallet, ['-test.run', '^TestWalletAnswersAnotherMakersVerifier$', '-test.v'], {
      env: { ...process.env, ROLLCALL_SERVICE: service.url, ROLLCALL_VERIFIER: `${verifier.url}/cases`, ROLLCALL_TRUSTED: service.trusted },
    }, (error, out) => done({ error, out })));
  server.closeAllConnections();
  server.close();
  await check('our emulated wallet goes through the requests of @openid4vc/openid4vp', () => ok(!said.error && /^--- PASS/m.test(said.out), said.out));
  for (const r of verifier.requests.values()) {
    if (r.refused) {
      await check(`our emulated wallet leaves a request unanswered ${r.name}`, () => ok(!r.answered, 'it was answered'));
      continue;
    }
    await check(`@openid4vc/openid4vp and the readers accept our wallet's answer to a request ${r.name}`, () => {
      if (r.error) throw r.error;
      ok(r.presentations, 'there is no answer');
    });
    if (!r.presentations) continue;
    const refuses = (what, reason, body) => check(`the readers refuse our wallet's ${what} (${r.name})`, async () => {
      const refused = await body().then(() => undefined, (e) => e);
      ok(refused && reason.test(refused.message), refused ? `refused for another reason: ${refused.message}` : 'it was accepted');
    });
    const [m] = r.presentations.mdoc ?? [];
    if (m) {
      await refuses('mdoc for another nonce', /device signature/i, () => verifier.mdoc(r, m, { nonce: 'another' }));
      await refuses('mdoc for another verifier', /device signature/i, () => verifier.mdoc(r, m, { clientId: 'x509_hash:another' }));
      await refuses('mdoc for another key', /device signature/i, () => verifier.mdoc(r, m, { jwkThumbprint: randomBytes(32) }));
    }
    const [s] = r.presentations.sdjwt ?? [];
    if (s) {
      await refuses('SD-JWT for another nonce', /nonce/i, () => verifier.sdjwt(r, s, { nonce: 'another' }));
      await refuses('SD-JWT for another verifier', /aud/i, () => verifier.sdjwt(r, s, { aud: 'x509_hash:another' }));
      await refuses('SD-JWT with a changed key binding', /signature/i, () => verifier.sdjwt(r, otherLetter(s, s.length - 20)));
    }
  }
}
