// Independent implementations judge the cards and tokens that the test
// TestSampleForIndependentReaders of reference/sdjwt wrote into DIR/tokens.json: they
// must accept them, and refuse them once they are changed. Then they write their own
// for the same parties, DIR/theirs.json, for TestWhatOthersWriteIsRead to read.
//
//   node tokens.mjs DIR
//
// Prints one line per check and "N passed, M failed"; exit code 1 if any failed.
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { standStill } from './clock.mjs';

const dir = process.argv[2];
if (!dir) {
  console.error('usage: node tokens.mjs DIR   (with tokens.json in it: see README.md)');
  process.exit(2);
}
const ours = JSON.parse(readFileSync(join(dir, 'tokens.json'), 'utf8'));

// The sample lies at a moment of its own: for these libraries, too.
const at = ours.now * 1000;
standStill(at);

const jose = await import('jose');
const { SDJwtVcInstance, TypeMetadataFormatSchema } = await import('@sd-jwt/sd-jwt-vc');
const { SDJwtInstance } = await import('@sd-jwt/core');
const { digest, generateSalt, ES256 } = await import('@sd-jwt/crypto-nodejs');
const { createHeaderAndPayload, StatusList } = await import('@sd-jwt/jwt-status-list');

let passed = 0;
let failed = 0;
async function check(name, body) {
  try {
    await body();
    passed++;
    console.log(`ok      ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAILED  ${name}: ${e.message ?? e}`);
  }
}
const accepts = (reader, what, body) => check(`${reader} accepts ${what}`, body);
// A refusal counts only for the right reason.
const refuses = (reader, what, reason, body) =>
  check(`${reader} refuses ${what}`, async () => {
    try {
      await body();
    } catch (e) {
      if (reason.test(e.message)) return;
      throw new Error(`refused for another reason: ${e.message}`);
    }
    throw new Error('it was accepted');
  });
function equal(got, want, what) {
  if (!isDeepStrictEqual(got, want)) throw new Error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}
// Another letter in the middle of a part of a token.
function changed(token, part, separator = '.') {
  const parts = token.split(separator);
  const i = parts[part].length >> 1;
  const letter = parts[part][i] === 'A' ? 'B' : 'A';
  parts[part] = parts[part].slice(0, i) + letter + parts[part].slice(i + 1);
  return parts.join(separator);
}

const publicOf = ({ d, ...key }) => key;
const keyOf = async (x5c) => jose.importX509(new X509Certificate(Buffer.from(x5c[0], 'base64')).toString(), 'ES256');
const iaca = new X509Certificate(Buffer.from(ours.iaca, 'base64'));
const header = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url').toString());

// The issuer's key, from the chain in the header, that leads to the root.
async function issuerVerifier(data, signature) {
  const { x5c } = header(data);
  const leaf = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  if (x5c.length !== 1 || !leaf.checkIssued(iaca) || !leaf.verify(iaca.publicKey)) throw new Error('the certificate does not come from the root');
  return (await ES256.getVerifier(leaf.publicKey.export({ format: 'jwk' })))(data, signature);
}
// A status list on which everybody is valid, signed by the issuer.
async function statusList() {
  const { header, payload } = createHeaderAndPayload(new StatusList(new Array(5000).fill(0), 2), { iss: ours.service, sub: 'https://rollcall.example/status/1', iat: ours.now }, { alg: 'ES256', typ: 'statuslist+jwt', x5c: ours.issuer_x5c });
  return new jose.SignJWT(payload).setProtectedHeader(header).sign(await jose.importJWK(ours.issuer, 'ES256'));
}
const config = {
  hasher: digest,
  hashAlg: 'sha-256',
  saltGenerator: generateSalt,
  signAlg: 'ES256',
  signer: await ES256.getSigner(ours.issuer),
  verifier: issuerVerifier,
  kbSignAlg: 'ES256',
  kbSigner: await ES256.getSigner(ours.phone),
  kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
  statusListFetcher: statusList,
};
const vc = new SDJwtVcInstance(config);
const plain = new SDJwtInstance(config);

// Cards and presentations.
await accepts('@sd-jwt/sd-jwt-vc', 'the card, with all its claims', async () => {
  const { payload, header } = await vc.verify(ours.card);
  equal(header.typ, 'dc+sd-jwt', 'typ');
  equal(payload.vct, ours.type, 'vct');
  for (const [name, value] of Object.entries(ours.claims)) equal(payload[name], value, name);
});
await accepts('@sd-jwt/sd-jwt-vc', 'the presentation, with what was shown and nothing else', async () => {
  const { payload, kb } = await vc.verify(ours.presentation, { keyBindingNonce: ours.nonce, requiredClaimKeys: ['family_name', 'age_equal_or_over.19'] });
  equal(payload, ours.shown, 'what is shown');
  equal(kb.payload.aud, ours.audience, 'aud');
  equal(kb.header.typ, 'kb+jwt', 'typ');
});
await accepts('@sd-jwt/core', 'the presentation', () => plain.verify(ours.presentation, { keyBindingNonce: ours.nonce }));
await accepts('@sd-jwt/sd-jwt-vc', 'the metadata of the type', () => {
  const metadata = TypeMetadataFormatSchema.parse(ours.metadata);
  equal(metadata.vct, ours.type, 'vct');
});
const end = ours.presentation.lastIndexOf('~') + 1;
const [bare, binding] = [ours.presentation.slice(0, end), ours.presentation.slice(end)];
await refuses('@sd-jwt/sd-jwt-vc', 'another nonce', /nonce/i, () => vc.verify(ours.presentation, { keyBindingNonce: 'nonce-2' }));
await refuses('@sd-jwt/sd-jwt-vc', 'a changed key binding', /signature|JSON/i, () => vc.verify(bare + changed(binding, 2), { keyBindingNonce: ours.nonce }));
await refuses('@sd-jwt/sd-jwt-vc', 'a changed card', /signature/i, () => {
  const [signed, ...rest] = ours.presentation.split('~');
  return vc.verify([changed(signed, 2), ...rest].join('~'), { keyBindingNonce: ours.nonce });
});
await refuses('@sd-jwt/sd-jwt-vc', 'a presentation with a disclosure less', /sd_hash/i, () => {
  const parts = ours.presentation.split('~');
  parts.splice(1, 1);
  return vc.verify(parts.join('~'), { keyBindingNonce: ours.nonce });
});
await refuses('@sd-jwt/sd-jwt-vc', 'the card without a key binding', /not exist/i, () => vc.verify(ours.card, { keyBindingNonce: ours.nonce }));

// Signed tokens.
const jwt = (token, key, typ, more = {}) => jose.jwtVerify(token, key, { typ, algorithms: ['ES256'], ...more });
const embedded = (token, typ) => jose.jwtVerify(token, jose.EmbeddedJWK, { typ, algorithms: ['ES256'] });
const phone = await jose.importJWK(publicOf(ours.phone), 'ES256');
const provider = await keyOf(ours.provider_x5c);
for (const [what, token, verify] of [
  ['the DPoP proof', ours.dpop, (t) => embedded(t, 'dpop+jwt')],
  ['the client attestation', ours.client_attestation, (t) => jwt(t, provider, 'oauth-client-attestation+jwt', { subject: ours.client, requiredClaims: ['exp', 'iat', 'cnf'] })],
  ['its proof of possession', ours.pop, (t) => jwt(t, phone, 'oauth-client-attestation-pop+jwt', { audience: ours.service, requiredClaims: ['jti', 'iat', 'challenge'] })],
  ['the key attestation', ours.key_attestation, (t) => jwt(t, provider, 'key-attestation+jwt', { requiredClaims: ['attested_keys', 'iat', 'exp'] })],
  ['the proof', ours.proof, (t) => embedded(t, 'openid4vci-proof+jwt')],
]) {
  await accepts('jose', what, () => verify(token));
  await refuses('jose', `${what}, signature changed`, /signature/i, () => verify(changed(token, 2)));
  await refuses('jose', `${what}, claims changed`, /signature|claims|JSON/i, () => verify(changed(token, 1)));
}
await check('jose finds that the DPoP proof has its key, nonce and hash of the token', async () => {
  const { payload, protectedHeader } = await embedded(ours.dpop, 'dpop+jwt');
  equal(await jose.calculateJwkThumbprint(protectedHeader.jwk), await jose.calculateJwkThumbprint(publicOf(ours.phone)), 'the thumbprint');
  const sum = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from('token'))).toString('base64url');
  equal(payload, { jti: 'j-1', htm: 'POST', htu: `${ours.service}/token`, iat: ours.now, ath: sum, nonce: ours.nonce }, 'the claims');
});

// Encrypted answers.
const verifier = await jose.importJWK(ours.verifier, 'ECDH-ES');
for (const [enc, message] of Object.entries(ours.encrypted)) {
  const decrypt = (m) => jose.compactDecrypt(m, verifier, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: [enc] });
  await accepts('jose', `the answer in ${enc}`, async () => {
    const { plaintext, protectedHeader } = await decrypt(message);
    equal(Buffer.from(plaintext).toString(), ours.answer, 'the answer');
    equal([protectedHeader.kid, protectedHeader.apv], ['k1', Buffer.from(ours.nonce).toString('base64url')], 'the header');
  });
  await refuses('jose', `a changed answer in ${enc}`, /decrypt/i, () => decrypt(changed(message, 3)));
}

// What they make of the same.
const sign = async (payload, protectedHeader, key) => new jose.SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...protectedHeader }).sign(await jose.importJWK(key, 'ES256'));
const { nationalities, address, age_equal_or_over, ...flat } = ours.claims;
const frame = {
  _sd: Object.keys(flat),
  _sd_decoy: 2,
  nationalities: { _sd: [0] },
  address: { _sd: Object.keys(address) },
  age_equal_or_over: { _sd: Object.keys(age_equal_or_over) },
};
const jwk = publicOf(ours.phone);
const card = await vc.issue(
  { vct: ours.type, iss: ours.service, iat: ours.now, exp: ours.now + 86400, cnf: { jwk }, status: { status_list: { idx: 1, uri: 'https://rollcall.example/status/1' } }, ...ours.claims },
  frame,
  { header: { x5c: ours.issuer_x5c } },
);
const presentation = await vc.present(card, { family_name: true, age_equal_or_over: { 19: true } }, { kb: { payload: { iat: ours.now, aud: ours.audience, nonce: ours.nonce } } });
const encrypted = {};
for (const enc of Object.keys(ours.encrypted)) {
  encrypted[enc] = await new jose.CompactEncrypt(Buffer.from(ours.answer))
    .setProtectedHeader({ alg: 'ECDH-ES', enc, kid: 'k1' })
    .setKeyManagementParameters({ apu: Buffer.from('wallet'), apv: Buffer.from(ours.nonce) })
    .encrypt(await jose.importJWK(publicOf(ours.verifier), 'ECDH-ES'));
}
const ath = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from('token'))).toString('base64url');
const iat = ours.now;
const key_attestation = await sign({ iat, exp: iat + 300, attested_keys: [jwk], key_storage: ['iso_18045_high'], nonce: ours.nonce }, { typ: 'key-attestation+jwt', x5c: ours.provider_x5c }, ours.provider);
writeFileSync(
  join(dir, 'theirs.json'),
  JSON.stringify(
    {
      card,
      presentation,
      encrypted,
      dpop: await sign({ jti: 'j', htm: 'POST', htu: `${ours.service}/token`, iat, ath, nonce: ours.nonce }, { typ: 'dpop+jwt', jwk }, ours.phone),
      client_attestation: await sign({ sub: ours.client, iat, exp: iat + 300, cnf: { jwk } }, { typ: 'oauth-client-attestation+jwt', x5c: ours.provider_x5c }, ours.provider),
      pop: await sign({ aud: ours.service, jti: 'j', iat, challenge: ours.nonce }, { typ: 'oauth-client-attestation-pop+jwt' }, ours.phone),
      key_attestation,
      proof: await sign({ iss: ours.client, aud: ours.service, iat, nonce: ours.nonce }, { typ: 'openid4vci-proof+jwt', kid: '0', key_attestation }, ours.phone),
    },
    null,
    2,
  ) + '\n',
);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
