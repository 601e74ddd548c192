// Independent implementations judge meetings of a phone and a terminal in person
// (ISO/IEC 18013-5), which a test wrote:
//
//   ROLLCALL_SAMPLE=DIR go test -count=1 -run '^TestSampleOfMeetings$' ./hwemu/terminal
//   node inperson.mjs DIR
//   ROLLCALL_THEIRS=DIR/answers.json go test -count=1 -run '^TestAnswersOfAnotherMakersPhoneVerify$' ./hwemu/terminal
//
// They read engagements, transcripts and requests, derive the session's keys anew,
// verify responses by signature and by MAC, and answer one request as a phone
// (answers.json, for the last command). What was changed must be refused.
import {
  createDecipheriv, createECDH, createHash, createPrivateKey, createPublicKey, hkdfSync, randomBytes,
  sign as makeSignature, verify as verifySignature, X509Certificate,
} from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { standStill } from './clock.mjs';

const dir = process.argv[2];
if (!dir) {
  console.error('usage: node inperson.mjs DIR   (DIR is what TestSampleOfMeetings wrote)');
  process.exit(2);
}
const { meetings, card, device_key: deviceKey } = JSON.parse(readFileSync(join(dir, 'meetings.json'), 'utf8'));
const iacaPEM = readFileSync(join(dir, 'iaca.pem'), 'utf8');
const readersPEM = readFileSync(join(dir, 'readers.pem'), 'utf8');
const bytes = (text) => Buffer.from(text ?? '', 'base64');

// The meetings lie in simulated time, and some libraries ask the clock.
const at = meetings[0].at;
standStill(at);
const auth0 = await import('@auth0/mdl');
const owf = await import('@owf/mdoc');

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
const refuses = (name, reason, body) =>
  check(name, async () => {
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
function sameBytes(got, want, what) {
  equal(Buffer.from(got).toString('hex'), Buffer.from(want).toString('hex'), what);
}
function flipped(buffer, position) {
  const copy = Buffer.from(buffer);
  copy[position] ^= 1;
  return copy;
}
function tag24(b) {
  const n = b.length;
  const head = n < 24 ? [0x40 | n] : n < 256 ? [0x58, n] : [0x59, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([0xd8, 0x18, ...head]), b]);
}

// node's cryptography stands in for that which @owf/mdoc does not bring.
const sha256 = (b) => createHash('sha256').update(b).digest();
function agree(d, point) {
  const own = createECDH('prime256v1');
  own.setPrivateKey(d);
  return own.computeSecret(point);
}
const derive = (shared, transcriptBytes, info) => Buffer.from(hkdfSync('sha256', shared, sha256(transcriptBytes), info, 32));
const certificateOf = (der) => new X509Certificate(Buffer.from(der));
const coseOf = (certificate) => owf.CoseKey.fromJwk(certificate.publicKey.export({ format: 'jwk' }));
function verifyChain(chain, roots, now = new Date()) {
  const leaf = certificateOf(chain[0]);
  const root = roots.map(certificateOf).find((r) => leaf.checkIssued(r) && leaf.verify(r.publicKey));
  if (!root || !root.ca) throw new Error('the certificate does not come from the root');
  for (const c of [leaf, root]) {
    if (now < new Date(c.validFrom) || now > new Date(c.validTo)) throw new Error(`the certificate of ${c.subject} is out of its time`);
  }
}
const ctx = {
  crypto: {
    random: (n) => new Uint8Array(randomBytes(n)),
    digest: ({ digestAlgorithm, bytes: b }) => new Uint8Array(createHash(digestAlgorithm.replace('-', '').toLowerCase()).update(b).digest()),
    calculateEphemeralMacKey: () => {
      throw new Error('no MAC is left to @owf/mdoc');
    },
  },
  cose: {
    sign1: {
      sign: ({ toBeSigned, key }) =>
        new Uint8Array(makeSignature('sha256', toBeSigned, { key: createPrivateKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' })),
      verify: ({ sign1, key }) =>
        verifySignature('sha256', sign1.toBeSigned, { key: createPublicKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, sign1.signature),
    },
    mac0: {
      sign: () => {
        throw new Error('nothing is authenticated here');
      },
      verify: () => false,
    },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) =>
      certificateOf(certificate).issuer.split('\n').filter((l) => l.startsWith(`${field}=`)).map((l) => l.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => coseOf(certificateOf(certificate)),
    verifyCertificateChain: ({ trustedCertificates, x5chain, now }) => verifyChain(x5chain, trustedCertificates, now),
    getCertificateData: ({ certificate }) => {
      const c = certificateOf(certificate);
      return { issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint256, notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString() };
    },
  },
};

function privateKey(d) {
  const own = createECDH('prime256v1');
  own.setPrivateKey(d);
  const point = own.getPublicKey();
  const b64 = (b) => b.toString('base64url');
  return owf.CoseKey.fromJwk({ kty: 'EC', crv: 'P-256', alg: 'ES256', x: b64(point.subarray(1, 33)), y: b64(point.subarray(33)), d: b64(d) });
}
const pointOf = (key) => {
  const j = key.jwk;
  return Buffer.concat([Buffer.from([4]), Buffer.from(j.x, 'base64url'), Buffer.from(j.y, 'base64url')]);
};
const get = (m, k) => (m instanceof Map ? m.get(k) : m[k]);
const iacaDER = new X509Certificate(iacaPEM).raw;
const answers = [];

for (const m of meetings) {
  const name = `${m.way}, ${m.mac ? 'MAC' : 'signature'}`;
  const engagement = bytes(m.engagement);
  const transcript = bytes(m.transcript);
  const response = bytes(m.response);
  const readerKey = bytes(m.reader_key);
  // Another session: a byte of the terminal's key, or of what NFC said last.
  const other = flipped(transcript, transcript.length - 1 - { 'QR code': 5, 'static handover': 1, 'negotiated handover': 0 }[m.way]);

  await check(`@owf/mdoc reads the engagement (${name})`, () => {
    const e = owf.DeviceEngagement.decode(new Uint8Array(engagement));
    equal(e.version, '1.0', 'the version');
    equal(e.security.cipherSuiteIdentifier, 1, 'the cipher suite');
    equal(e.deviceRetrievalMethods?.length ?? 0, m.way === 'QR code' ? 1 : 0, 'the number of ways');
    sameBytes(e.encode(), engagement, 'the engagement written again');
  });
  await check(`@owf/mdoc reads the transcript (${name})`, () => {
    const s = owf.SessionTranscript.decode(new Uint8Array(transcript));
    sameBytes(s.deviceEngagement.encode(), engagement, 'the engagement within');
    if (m.way === 'QR code') {
      if (!(s.handover instanceof owf.QrHandover)) throw new Error('the handover is not that of a QR code');
    } else {
      if (!(s.handover instanceof owf.NfcHandover)) throw new Error('the handover is not that of NFC');
      const [select, request] = s.handover.encodedStructure;
      sameBytes(select, bytes(m.handover_select), 'Handover Select');
      equal(request === null, m.way === 'static handover', 'that no request was made');
    }
    sameBytes(s.encode(), transcript, 'the transcript written again');
  });

  // The session, by node's own cryptography.
  const opened = (message, sender, publicPoint) => {
    const key = derive(agree(readerKey, publicPoint), tag24(transcript), sender === 0 ? 'SKReader' : 'SKDevice');
    const data = Buffer.from(get(owf.cborDecode(new Uint8Array(message)), 'data'));
    const nonce = Buffer.from([0, 0, 0, 0, 0, 0, 0, sender, 0, 0, 0, 1]);
    const d = createDecipheriv('aes-256-gcm', key, nonce);
    d.setAuthTag(data.subarray(-16));
    return Buffer.concat([d.update(data.subarray(0, -16)), d.final()]);
  };
  const phonePoint = pointOf(owf.DeviceEngagement.decode(new Uint8Array(engagement)).security.eDeviceKey);
  let request;
  await check(`node opens both messages of the session (${name})`, () => {
    request = opened(bytes(m.establishment), 0, phonePoint);
    sameBytes(opened(bytes(m.answer), 1, phonePoint), response, 'the response');
  });
  await refuses(`node does not open a changed message (${name})`, /authenticate/i, () => {
    const answer = bytes(m.answer);
    opened(flipped(answer, answer.length - 1), 1, phonePoint);
  });

  // The request and who asks.
  const asked = (encoded, session) =>
    owf.Holder.verifyDeviceRequest({ deviceRequest: new Uint8Array(encoded), sessionTranscript: new Uint8Array(session) }, ctx);
  await check(`@owf/mdoc finds the request signed by the bank (${name})`, async () => {
    const [document] = owf.DeviceRequest.decode(new Uint8Array(request)).docRequests;
    if (!document.readerAuth) throw new Error('the request is not signed');
    await asked(request, transcript);
    verifyChain([document.readerAuth.certificate], [new X509Certificate(readersPEM).raw]);
    const names = [...[...document.itemsRequest.namespaces.values()][0].keys()].sort().join();
    equal(names, 'family_name,portrait,resident_registration_number', 'what is asked for');
  });
  await refuses(`@owf/mdoc refuses the request in another session (${name})`, /signature/i, () => asked(request, other));
  await refuses(`@owf/mdoc refuses a request for something else (${name})`, /signature/i, () => {
    const changed = Buffer.from(request);
    changed.write('q', changed.indexOf('portrait'));
    return asked(changed, transcript);
  });

  // The response.
  const withAuth0 = (encoded, session = transcript, key = readerKey) =>
    new auth0.Verifier([iacaPEM]).verify(encoded, { encodedSessionTranscript: tag24(session), ephemeralReaderKey: privateKey(key).encode() });
  const withOwf = (encoded, session = transcript) =>
    owf.DeviceResponse.decode(new Uint8Array(encoded)).verify(
      { sessionTranscript: new Uint8Array(session), trustedCertificates: [iacaDER], now: new Date(at) },
      ctx,
    );
  // @owf/mdoc 0.6.0 refuses every MAC (it compares the algorithm's name with its
  // number), and leaves the external data out of what is authenticated.
  for (const [reader, verify] of m.mac ? [['@auth0/mdl', withAuth0]] : [['@auth0/mdl', withAuth0], ['@owf/mdoc', withOwf]]) {
    await check(`${reader} accepts the response (${name})`, () => verify(response));
    await refuses(`${reader} refuses it in another session (${name})`, /device signature|mac/i, () => verify(response, other));
    if (m.mac) {
      await refuses(`${reader} refuses the MAC with another terminal's key (${name})`, /mac/i, () => verify(response, transcript, sha256('another')));
    }
  }

  // As a phone, @owf/mdoc answers the same request with another card.
  if (!m.mac) {
    await check(`@owf/mdoc answers the request (${name})`, async () => {
      const made = await owf.Holder.createDeviceResponseForDeviceRequest(
        {
          deviceRequest: owf.DeviceRequest.decode(new Uint8Array(request)),
          sessionTranscript: new Uint8Array(transcript),
          issuerSigned: [owf.IssuerSigned.decode(new Uint8Array(bytes(card)))],
          signature: { signingKey: privateKey(bytes(deviceKey)) },
        },
        ctx,
      );
      answers.push({ name, response: Buffer.from(made.encode()).toString('base64'), transcript: m.transcript });
    });
  }
}
writeFileSync(join(dir, 'answers.json'), JSON.stringify(answers));

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
