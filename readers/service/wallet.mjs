// A wallet of another maker: @openid4vc/openid4vci and @openid4vc/oauth2 speak, jose
// signs and encrypts, node hashes.
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { clientAuthenticationClientAttestationJwt, createClientAttestationJwt, HashAlgorithm, Oauth2Client, preAuthorizedCodeGrantIdentifier, resourceRequest } from '@openid4vc/oauth2';
import { Openid4vciClient, Openid4vciWalletProvider } from '@openid4vc/openid4vci';
import * as jose from 'jose';
import { leafKey } from './authority.mjs';

export const publicOf = ({ d, ...key }) => key;
export async function newKey() {
  const { privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), alg: 'ES256' };
}
export const bare = ({ kty, crv, x, y }) => ({ kty, crv, x, y });
const name = (jwk) => `${jwk.x} ${jwk.y}`;

// The callbacks by which the @openid4vc libraries reach cryptography. keys are those
// it may sign with; root is that to which certificates in x5c must lead.
export function callbacks({ keys = [], root, fetch: fetcher = fetch, decrypt }) {
  const known = new Map(keys.map((k) => [name(k), k]));
  return {
    known,
    fetch: fetcher,
    hash: (data, algorithm) => new Uint8Array(createHash(algorithm === HashAlgorithm.Sha256 ? 'sha256' : algorithm.replace('-', '')).update(data).digest()),
    generateRandom: (n) => new Uint8Array(randomBytes(n)),
    signJwt: async (signer, { header, payload }) => {
      const jwk = signer.method === 'x5c' ? signer.key : known.get(name(signer.publicJwk));
      if (!jwk) throw new Error('the wallet does not have this key');
      // @openid4vc/openid4vci 0.4.6 writes the typ of drafts; OpenID4VCI 1.0 D.1 says this.
      if (header.typ === 'keyattestation+jwt') header = { ...header, typ: 'key-attestation+jwt' };
      const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(await jose.importJWK(jwk, 'ES256'));
      return { jwt, signerJwk: publicOf(jwk) };
    },
    verifyJwt: async (signer, { compact }) => {
      const key = signer.method === 'x5c' ? leafKey(signer.x5c, root) : await jose.importJWK(signer.publicJwk, 'ES256');
      const jwk = signer.method === 'x5c' ? key.export({ format: 'jwk' }) : signer.publicJwk;
      try {
        await jose.compactVerify(compact, key, { algorithms: ['ES256'] });
        return { verified: true, signerJwk: jwk };
      } catch {
        return { verified: false, signerJwk: jwk };
      }
    },
    getX509CertificateMetadata: (certificate) => {
      const names = (new X509Certificate(Buffer.from(certificate, 'base64')).subjectAltName ?? '').split(', ');
      const of = (kind) => names.filter((n) => n.startsWith(kind)).map((n) => n.slice(kind.length));
      return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') };
    },
    encryptJwe: async (to, data) => ({
      encryptionJwk: to.publicJwk,
      jwe: await new jose.CompactEncrypt(Buffer.from(data))
        .setProtectedHeader({ alg: to.alg, enc: to.enc, ...(to.publicJwk.kid && { kid: to.publicJwk.kid }) })
        .setKeyManagementParameters({ ...(to.apu && { apu: jose.base64url.decode(to.apu) }), ...(to.apv && { apv: jose.base64url.decode(to.apv) }) })
        .encrypt(await jose.importJWK(to.publicJwk, to.alg)),
    }),
    decryptJwe: async (jwe) => {
      const { plaintext } = await jose.compactDecrypt(jwe, await jose.importJWK(decrypt, 'ECDH-ES'));
      return { decrypted: true, payload: Buffer.from(plaintext).toString(), decryptionJwk: decrypt };
    },
  };
}

export class Wallet {
  // service: {url, root (X509Certificate that its certificates lead to), provider and
  // maker (authorities of wallets and of phones' keys)}.
  constructor(service) {
    this.service = service;
    this.clientId = 'https://wallet.others.example';
    this.redirectUri = 'https://wallet.others.example/back';
    this.log = []; // of answers
  }

  static async make(service) {
    const w = new Wallet(service);
    w.instance = await newKey();
    w.dpopKey = await newKey();
    w.callbacks = callbacks({ keys: [w.instance, w.dpopKey], root: service.root, fetch: (url, init) => w.fetch(url, init) });
    w.attestation = await w.attest(service.provider);
    w.vci = new Openid4vciClient({ callbacks: w.authenticated() });
    w.oauth = new Oauth2Client({ callbacks: w.authenticated() });
    return w;
  }

  // Requests go out as they are, or as tamper makes them; answers are remembered.
  async fetch(url, init = {}) {
    if (this.tamper) {
      const changed = await this.tamper(String(url), init);
      if (changed) init = changed;
    }
    // @openid4vc/openid4vci 0.4.6 reads signed metadata, and does not ask for them:
    // an issuer answers in JSON then (OpenID4VCI 1.0 §12.2.2).
    if (String(url).endsWith('/.well-known/openid-credential-issuer') && !this.unsigned) init = { ...init, headers: { ...init.headers, Accept: 'application/jwt' } };
    const answer = await fetch(url, init);
    const text = await answer.clone().text();
    let body;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    this.last = { url: String(url), status: answer.status, body, headers: answer.headers };
    this.log.push(this.last);
    return answer;
  }

  async json(path, body) {
    const answer = await this.fetch(this.service.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  attest(provider, more = {}) {
    return createClientAttestationJwt({
      issuer: 'https://wallets.others.example', clientId: this.clientId, expiresAt: new Date(Date.now() + 3600_000),
      confirmation: { jwk: bare(this.instance) }, signer: { method: 'x5c', alg: 'ES256', x5c: provider.x5c, key: provider.jwk },
      callbacks: { signJwt: callbacks({}).signJwt }, ...more,
    });
  }

  authenticated() {
    const wallet = this;
    return {
      ...this.callbacks,
      clientAuthentication: (options) => clientAuthenticationClientAttestationJwt({ clientAttestationJwt: wallet.attestation, callbacks: wallet.callbacks })(options),
    };
  }

  get dpop() {
    return { signer: { method: 'jwk', alg: 'ES256', publicJwk: bare(this.dpopKey) } };
  }

  async discover() {
    this.metadata = await this.vci.resolveIssuerMetadata(this.service.url);
    this.server = this.metadata.authorizationServers[0];
    return this.metadata;
  }

  async push(scope) {
    const state = randomBytes(8).toString('hex');
    const request = await this.oauth.createAuthorizationRequestUrl({
      authorizationServerMetadata: this.server, clientId: this.clientId, redirectUri: this.redirectUri, scope, state, dpop: this.dpop,
      resource: this.metadata.credentialIssuer.credential_issuer,
    });
    const page = await this.fetch(request.authorizationRequestUrl);
    if (!page.ok) throw new Error(`the page answers ${page.status}`);
    return { ...request, state, requestUri: new URL(request.authorizationRequestUrl).searchParams.get('request_uri') };
  }

  // The citizen holds the card to the phone, enters the PIN, and looks into the camera.
  async prove(request, citizen, { pin = citizen.pin, face = citizen, challenge } = {}) {
    const to = { client_id: this.clientId, request_uri: request.requestUri };
    const asked = await this.json('/oauth/authorize/challenge', to);
    const { card } = await this.json(`/demo/residents/${citizen.id}/tap`, { challenge: challenge ?? asked.challenge, pin });
    const { capture } = await this.json(`/demo/residents/${face.id}/look`, {});
    const { redirect_uri: redirect } = await this.json('/oauth/authorize/evidence', { ...to, challenge: asked.challenge, card, capture });
    const answer = this.vci.parseAndVerifyAuthorizationResponseRedirectUrl({ url: redirect, authorizationServerMetadata: this.server });
    if (answer.state !== request.state) throw new Error('the answer has another state');
    return answer.code;
  }

  redeem(request, code, verifier = request.pkce.codeVerifier) {
    return this.oauth
      .retrieveAuthorizationCodeAccessToken({
        authorizationServerMetadata: this.server, authorizationCode: code, pkceCodeVerifier: verifier, redirectUri: this.redirectUri, dpop: this.dpop,
        resource: this.metadata.credentialIssuer.credential_issuer,
      })
      .then((a) => a.accessTokenResponse);
  }

  refresh(token) {
    return this.oauth
      .retrieveRefreshTokenAccessToken({
        authorizationServerMetadata: this.server, refreshToken: token.refresh_token, dpop: this.dpop, resource: this.metadata.credentialIssuer.credential_issuer,
      })
      .then((a) => a.accessTokenResponse);
  }

  async authorise(citizen, scope) {
    const request = await this.push(scope);
    return this.redeem(request, await this.prove(request, citizen));
  }

  // Key attestation of the maker.
  attestKeys(keys, { nonce, maker = this.service.maker, expiresAt = new Date(Date.now() + 300_000), keyStorage = ['iso_18045_high'] } = {}) {
    const provider = new Openid4vciWalletProvider({ callbacks: callbacks({}) });
    return provider.createKeyAttestationJwt({
      attestedKeys: keys.map(bare), nonce, expiresAt, keyStorage, userAuthentication: ['iso_18045_high'],
      signer: { method: 'x5c', alg: 'ES256', x5c: maker.x5c, key: maker.jwk }, use: nonce ? 'proof_type.attestation' : 'proof_type.jwt',
    });
  }

  async proofs(config, keys, { type = 'jwt', nonce, maker, audience, keyStorage } = {}) {
    nonce ??= (await this.vci.requestNonce({ issuerMetadata: this.metadata })).c_nonce;
    if (type === 'attestation') return { attestation: [await this.attestKeys(keys, { nonce, maker, keyStorage })] };
    for (const k of keys) this.callbacks.known.set(name(k), k);
    const issuerMetadata = audience
      ? { ...this.metadata, credentialIssuer: { ...this.metadata.credentialIssuer, credential_issuer: audience } }
      : this.metadata;
    const { jwt } = await this.vci.createCredentialRequestJwtProof({
      issuerMetadata, credentialConfigurationId: config, nonce, clientId: this.clientId, issuedAt: new Date(),
      signer: { method: 'jwk', alg: 'ES256', publicJwk: bare(keys[0]) }, keyAttestationJwt: await this.attestKeys(keys, { maker, keyStorage, nonce }),
    });
    return { jwt: [jwt] };
  }

  // Asks for copies, each for one key. enc: to be answered in encryption.
  async issue(token, config, keys, { enc, proofs, ...more } = {}) {
    proofs ??= await this.proofs(config, keys, more);
    if (enc) return this.issueEncrypted(token, config, proofs, enc);
    const { credentialResponse } = await this.vci.retrieveCredentials({
      issuerMetadata: this.metadata, accessToken: token.access_token, dpop: this.dpop, credentialConfigurationId: config, proofs,
    });
    return credentialResponse;
  }

  // @openid4vc/openid4vci 0.4.6 sends requests and reads answers in JSON alone: jose
  // encrypts the one, without which there is no other (OpenID4VCI 1.0 §8.2), and opens it.
  async issueEncrypted(token, config, proofs, enc, jwk = {}, by = 'A256GCM') {
    const own = await newKey();
    const body = { credential_configuration_id: config, proofs, credential_response_encryption: { jwk: { ...bare(own), alg: 'ECDH-ES', use: 'enc', kid: 'own', ...jwk }, enc } };
    const answer = await this.resource(token, this.metadata.credentialIssuer.credential_endpoint, by ? await this.encrypt(body, by) : body);
    if (!answer.ok) throw new Error(`the credential endpoint answers ${answer.response.status}`);
    if (!answer.response.headers.get('content-type').startsWith('application/jwt')) throw new Error('the answer is not encrypted');
    const { plaintext, protectedHeader } = await jose.compactDecrypt(await answer.response.text(), await jose.importJWK({ ...own, alg: 'ECDH-ES' }, 'ECDH-ES'), {
      keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: [enc],
    });
    if (protectedHeader.kid !== 'own') throw new Error(`the answer is for the key ${protectedHeader.kid}`);
    return JSON.parse(Buffer.from(plaintext).toString());
  }

  async encrypt(body, enc) {
    const { jwks, enc_values_supported: encs } = this.metadata.credentialIssuer.credential_request_encryption;
    const to = jwks.keys.find((k) => k.alg === 'ECDH-ES');
    if (!encs.includes(enc)) throw new Error(`requests are not encrypted by ${enc}`);
    return new jose.CompactEncrypt(Buffer.from(JSON.stringify(body))).setProtectedHeader({ alg: to.alg, enc, kid: to.kid }).encrypt(await jose.importJWK(to, to.alg));
  }

  // body is JSON, or a text that is encrypted.
  resource(token, url, body, dpop = this.dpop) {
    const encrypted = typeof body === 'string';
    return resourceRequest({
      accessToken: token.access_token, dpop, callbacks: this.callbacks, url,
      requestOptions: { method: 'POST', headers: { 'Content-Type': encrypted ? 'application/jwt' : 'application/json' }, body: encrypted ? body : JSON.stringify(body) },
    });
  }

  notify(token, notificationId, event) {
    return this.vci.sendNotification({ issuerMetadata: this.metadata, accessToken: token.access_token, dpop: this.dpop, notification: { notificationId, event } });
  }

  // A clerk's QR code.
  async scan(uri) {
    const offer = await this.vci.resolveCredentialOffer(uri);
    return { offer, code: offer.grants[preAuthorizedCodeGrantIdentifier]['pre-authorized_code'] };
  }

  async lookForOffer(scanned, citizen, txCode) {
    const { capture } = await this.json(`/demo/residents/${citizen.id}/look`, {});
    return this.json('/oauth/face-check', { 'pre-authorized_code': scanned.code, tx_code: txCode, capture });
  }

  redeemOffer(scanned, txCode) {
    return this.vci
      .retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer: scanned.offer, issuerMetadata: this.metadata, txCode, dpop: this.dpop })
      .then((a) => a.accessTokenResponse);
  }
}
