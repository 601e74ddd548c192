// How long other people's verifiers take for the device responses that Rollcall's own is
// measured with. It is started by
//
//   rollcall bench --peers readers/peers.mjs --run Peer
//
// as `node peers.mjs FILE`; FILE holds the responses. On standard input comes "NAME N", a
// line each: N verifications by NAME; the answer is "ok", or what went wrong. The processor
// time of this process is what is measured.
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, verify as verifySignature, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { standStill } from './clock.mjs';

const file = process.argv[2];
if (!file) {
  console.error('usage: node peers.mjs FILE   (rollcall bench --peers peers.mjs starts it)');
  process.exit(2);
}
const sample = JSON.parse(readFileSync(file, 'utf8'));
const transcript = Buffer.from(sample.transcript, 'base64');
const responses = sample.responses.map((r) => Buffer.from(r, 'base64'));

// The responses lie in simulated time, and some libraries ask the clock.
const at = Date.parse(sample.at);
standStill(at);
const auth0 = await import('@auth0/mdl');
const owf = await import('@owf/mdoc');

// @auth0/mdl wants the transcript as SessionTranscriptBytes, #6.24(bstr).
function tag24(bytes) {
  const n = bytes.length;
  const head = n < 24 ? [0x40 | n] : n < 256 ? [0x58, n] : [0x59, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([0xd8, 0x18, ...head]), bytes]);
}
const session = tag24(transcript);
const verifier = new auth0.Verifier([sample.root]);

// @owf/mdoc brings no cryptography: node's stands in, as directly as it can be called. The root is
// read once.
const root = new X509Certificate(sample.root);
const certificateOf = (der) => new X509Certificate(Buffer.from(der));
const unexpected = () => {
  throw new Error('this is not expected here');
};
const ctx = {
  crypto: {
    random: (n) => new Uint8Array(randomBytes(n)),
    digest: ({ digestAlgorithm, bytes }) => createHash(digestAlgorithm.replace('-', '').toLowerCase()).update(bytes).digest(),
    calculateEphemeralMacKey: unexpected,
  },
  cose: {
    sign1: {
      sign: unexpected,
      verify: ({ sign1, key }) =>
        verifySignature('sha256', sign1.toBeSigned, { key: createPublicKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, sign1.signature),
    },
    mac0: { sign: unexpected, verify: () => false },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) =>
      certificateOf(certificate).issuer.split('\n').filter((l) => l.startsWith(`${field}=`)).map((l) => l.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => owf.CoseKey.fromJwk(certificateOf(certificate).publicKey.export({ format: 'jwk' })),
    verifyCertificateChain: ({ x5chain, now }) => {
      const leaf = certificateOf(x5chain[0]);
      if (!leaf.checkIssued(root) || !leaf.verify(root.publicKey)) throw new Error('the certificate does not come from the root');
      for (const c of [leaf, root]) {
        if (now < new Date(c.validFrom) || now > new Date(c.validTo)) throw new Error(`the certificate of ${c.subject} is out of its time`);
      }
    },
    getCertificateData: ({ certificate }) => {
      const c = certificateOf(certificate);
      return {
        issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint256,
        notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString(),
      };
    },
  },
};

// The floor of both: node's own verification of a signature.
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signatures = responses.map((_, i) => {
  const text = Buffer.from(`message ${i}`);
  return { text, signature: sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
});

const measured = {
  node: (i) => {
    const { text, signature } = signatures[i];
    if (!verifySignature('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) throw new Error('a signature does not verify');
  },
  '@auth0/mdl': (i) => verifier.verify(responses[i], { encodedSessionTranscript: session }),
  '@owf/mdoc': (i) =>
    owf.DeviceResponse.decode(new Uint8Array(responses[i])).verify(
      { sessionTranscript: new Uint8Array(transcript), trustedCertificates: [root.raw], now: new Date(at) },
      ctx,
    ),
};

// Who accepts anything is no peer: one bit of the phone's signature is changed.
for (const name of ['@auth0/mdl', '@owf/mdoc']) {
  const good = responses[0];
  responses[0] = Buffer.from(good);
  const key = good.indexOf('deviceSignature');
  responses[0][good.indexOf(Buffer.from([0xf6, 0x58, 0x40]), key) + 3 + 63] ^= 1;
  const refused = await Promise.resolve().then(() => measured[name](0)).then(() => false, (e) => /device signature/i.test(e.message));
  responses[0] = good;
  if (!refused) {
    console.log(`${name} does not refuse a changed response`);
    process.exit(1);
  }
}

// What a process does first is slow in JavaScript, and no measure of it.
for (const one of Object.values(measured)) for (let i = 0; i < responses.length; i++) await one(i);

console.log('ready');
let next = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [name, n] = line.split(' ');
  try {
    for (let i = 0; i < Number(n); i++) {
      next = (next + 1) % responses.length;
      await measured[name](next);
    }
    console.log('ok');
  } catch (e) {
    console.log(`${name}: ${String(e.message ?? e).replaceAll('\n', ' ')}`);
  }
}
