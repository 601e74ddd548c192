// Independent implementations judge what `rollcall journey --out DIR` wrote: they
// must accept it, and refuse it once it is changed.
//
//   node check.mjs DIR
//
// Prints one line per check and "N passed, M failed"; exit code 1 if any failed.
import { createHash, randomBytes, verify as verifySignature, X509Certificate, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { standStill } from './clock.mjs';

const dir = process.argv[2];
if (!dir) {
  console.error('usage: node check.mjs DIR   (DIR is what "rollcall journey --out DIR" wrote)');
  process.exit(2);
}
const read = (name, encoding) => {
  try {
    return readFileSync(join(dir, name), encoding);
  } catch (e) {
    console.error(`${join(dir, name)} cannot be read: ${e.message}`);
    process.exit(2);
  }
};
const iacaPEM = read('iaca.pem', 'utf8');
const dsPEM = read('ds.pem', 'utf8');
const response = read('device_response.cbor');
const transcript = read('session_transcript.cbor');
const statusJWT = read('status_list.jwt', 'utf8').trim();
const statusCWT = read('status_list.cwt');
const journey = JSON.parse(read('journey.json', 'utf8'));

// The journey lies in simulated time: the moment of judging is that at which the
// status list was issued, for these libraries too, some of which ask the clock.
const jwtPart = (i) => JSON.parse(Buffer.from(statusJWT.split('.')[i], 'base64url').toString());
const at = jwtPart(1).iat * 1000;
standStill(at);

const auth0 = await import('@auth0/mdl');
const owf = await import('@owf/mdoc');
const { StatusList, getListFromStatusListJWT } = await import('@sd-jwt/jwt-status-list');
const jose = await import('jose');

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
  if (got !== want) throw new Error(`${what} is ${got}, not ${want}`);
}

// Changed copies.
function flipped(buffer, position) {
  const copy = Buffer.from(buffer);
  copy[position] ^= 1;
  return copy;
}
// The position of a byte of the first disclosed value that may change without the
// CBOR becoming malformed.
function valueByte(buffer) {
  let at = buffer.indexOf('elementValue');
  if (at < 0) throw new Error('the response discloses nothing');
  at += 'elementValue'.length;
  for (;;) {
    const [major, low] = [buffer[at] >> 5, buffer[at] & 31];
    const head = low < 24 ? 1 : 1 + (1 << (low - 24));
    const length = low < 24 ? low : buffer.readUIntBE(at + 1, head - 1);
    if (major === 6) at += head; // a tag: its content follows
    else if (major === 2 || major === 3) return at + head + length - 1;
    else return at + head - 1;
  }
}
function deviceSignatureByte(buffer) {
  const key = buffer.indexOf('deviceSignature');
  const signature = buffer.indexOf(Buffer.from([0xf6, 0x58, 0x40]), key);
  if (key < 0 || signature < 0) throw new Error('the response has no device signature');
  return signature + 3 + 63;
}
const issuerSignatureByte = (buffer) => {
  // The signature ends issuerAuth, after the payload; the last 64-byte string that
  // is not the device's.
  const device = deviceSignatureByte(buffer) - 63;
  for (let i = buffer.length - 66; i >= 0; i--) {
    if (buffer[i] === 0x58 && buffer[i + 1] === 0x40 && i + 2 !== device) return i + 2 + 63;
  }
  throw new Error('the response has no issuer signature');
};

// @auth0/mdl wants the transcript as SessionTranscriptBytes, #6.24(bstr).
function tag24(bytes) {
  const n = bytes.length;
  const head = n < 24 ? [0x40 | n] : n < 256 ? [0x58, n] : [0x59, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([0xd8, 0x18, ...head]), bytes]);
}
const withAuth0 = (encoded, session = transcript, roots = [iacaPEM]) =>
  new auth0.Verifier(roots).verify(encoded, { encodedSessionTranscript: tag24(session) });

// @owf/mdoc brings no cryptography: node's stands in.
const certificateOf = (der) => new X509Certificate(Buffer.from(der));
const field = (name, f) =>
  name.split('\n').filter((l) => l.startsWith(`${f}=`)).map((l) => l.slice(f.length + 1));
const ctx = {
  crypto: {
    random: (n) => new Uint8Array(randomBytes(n)),
    digest: ({ digestAlgorithm, bytes }) =>
      new Uint8Array(createHash(digestAlgorithm.replace('-', '').toLowerCase()).update(bytes).digest()),
    calculateEphemeralMacKey: () => {
      throw new Error('a MAC is not expected');
    },
  },
  cose: {
    sign1: {
      sign: () => {
        throw new Error('nothing is signed here');
      },
      verify: ({ sign1, key }) =>
        verifySignature(
          'sha256',
          sign1.toBeSigned,
          { key: createPublicKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
          sign1.signature,
        ),
    },
    mac0: {
      sign: () => {
        throw new Error('nothing is authenticated here');
      },
      verify: () => false,
    },
  },
  x509: {
    getIssuerNameField: ({ certificate, field: f }) => field(certificateOf(certificate).issuer, f),
    getPublicKey: ({ certificate }) => owf.CoseKey.fromJwk(certificateOf(certificate).publicKey.export({ format: 'jwk' })),
    verifyCertificateChain: ({ trustedCertificates, x5chain, now }) => verifyChain(x5chain, trustedCertificates, now),
    getCertificateData: ({ certificate }) => {
      const c = certificateOf(certificate);
      return {
        issuerName: c.issuer,
        subjectName: c.subject,
        serialNumber: c.serialNumber,
        thumbprint: c.fingerprint256,
        notBefore: new Date(c.validFrom),
        notAfter: new Date(c.validTo),
        pem: c.toString(),
      };
    },
  },
};
function verifyChain(chain, roots, now = new Date()) {
  const leaf = certificateOf(chain[0]);
  const root = roots.map(certificateOf).find((r) => leaf.checkIssued(r) && leaf.verify(r.publicKey));
  if (!root || !root.ca || !root.verify(root.publicKey)) throw new Error('the certificate does not come from the root');
  for (const c of [leaf, root]) {
    if (now < new Date(c.validFrom) || now > new Date(c.validTo)) throw new Error(`the certificate of ${c.subject} is out of its time`);
  }
}
const iacaDER = new X509Certificate(iacaPEM).raw;
const withOwf = (encoded, session = transcript, roots = [iacaDER]) =>
  owf.DeviceResponse.decode(new Uint8Array(encoded)).verify(
    { sessionTranscript: new Uint8Array(session), trustedCertificates: roots, now: new Date(at) },
    ctx,
  );

const otherTranscript = flipped(transcript, transcript.length - 1);
for (const [reader, verify, wrongRoot] of [
  ['@auth0/mdl', withAuth0, [dsPEM]],
  ['@owf/mdoc', withOwf, [new X509Certificate(dsPEM).raw]],
]) {
  await accepts(reader, 'the response', () => verify(response));
  await refuses(reader, 'a changed element', /digest/i, () => verify(flipped(response, valueByte(response))));
  await refuses(reader, 'a changed device signature', /device signature/i, () => verify(flipped(response, deviceSignatureByte(response))));
  await refuses(reader, 'a changed issuer signature', /issuer.* signature/i, () => verify(flipped(response, issuerSignatureByte(response))));
  await refuses(reader, 'the response in another session', /device signature/i, () => verify(response, otherTranscript));
  await refuses(reader, 'the response under another root', /certificate|chain/i, () => verify(response, transcript, wrongRoot));
}

// The certificates, by OpenSSL.
const document = owf.DeviceResponse.decode(new Uint8Array(response)).documents[0];
await check('openssl finds that the response is signed with ds.pem', () => {
  if (!Buffer.from(document.issuerSigned.issuerAuth.certificate).equals(new X509Certificate(dsPEM).raw)) throw new Error('x5chain has another certificate');
});
await check('openssl finds that ds.pem comes from iaca.pem', () => verifyChain([new X509Certificate(dsPEM).raw], [iacaDER]));

// The status lists.
const expected = journey.status_value;
const index = journey.status_index;
await check('@owf/mdoc finds that the response names the list and the index', () => {
  const mso = document.issuerSigned.issuerAuth.mobileSecurityObject;
  const plain = owf.cborDecode(mso.encode());
  const object = plain?.data ?? plain;
  const status = object.get('status').get('status_list');
  equal(status.get('uri'), jwtPart(1).sub, 'the uri');
  equal(Number(status.get('idx')), index, 'the index');
});
await check('@sd-jwt/jwt-status-list finds that the JWT has the expected status at the index', () =>
  equal(getListFromStatusListJWT(statusJWT).getStatus(index), expected, `status[${index}]`));

const statusCertificate = (der) => {
  verifyChain([der], [iacaDER]);
  return new X509Certificate(der).publicKey;
};
const withJose = (jwt) =>
  jose.jwtVerify(jwt, (header) => statusCertificate(Buffer.from(header.x5c[0], 'base64')), { typ: 'statuslist+jwt', algorithms: ['ES256'] });
await accepts('jose', 'the status list JWT', () => withJose(statusJWT));
const [header, payload, signature] = statusJWT.split('.');
await refuses('jose', 'a JWT with another list', /signature/i, () => {
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  claims.status_list.lst = new StatusList([0, 0, 0, 0], 2).compressStatusList();
  return withJose([header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.'));
});

const withCWT = (encoded) => {
  if (encoded[0] !== 0xd2) throw new Error('the CWT has no tag 18');
  const message = owf.Sign1.decode(new Uint8Array(encoded));
  equal(message.protectedHeaders.headers.get(16), 'application/statuslist+cwt', 'header 16');
  const key = owf.CoseKey.fromJwk(statusCertificate(Buffer.from(message.certificate)).export({ format: 'jwk' }));
  if (!ctx.cose.sign1.verify({ sign1: message, key })) throw new Error('the signature is wrong');
  return owf.cborDecode(message.payload);
};
await accepts('@owf/mdoc', 'the status list CWT', () => withCWT(statusCWT));
await refuses('@owf/mdoc', 'a changed CWT', /signature/i, () => withCWT(flipped(statusCWT, statusCWT.length - 1)));
await check('@sd-jwt/jwt-status-list finds that the CWT has the expected status at the index', () => {
  const claims = withCWT(statusCWT);
  const get = (m, k) => (m instanceof Map ? m.get(k) : m[k]);
  const list = get(claims, 65533);
  const lst = Buffer.from(get(list, 'lst')).toString('base64url');
  equal(StatusList.decompressStatusList(lst, get(list, 'bits')).getStatus(index), expected, `status[${index}]`);
  equal(get(claims, 2), jwtPart(1).sub, 'the subject');
  equal(Number(get(claims, -65537)), jwtPart(1).register_seq, 'the register sequence number');
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
