// Cards of the service, read by @owf/mdoc, @auth0/mdl and @sd-jwt/sd-jwt-vc. What
// cryptography they do not bring is node's.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify, X509Certificate } from 'node:crypto';
import * as owf from '@owf/mdoc';
import { digest, ES256, generateSalt } from '@sd-jwt/crypto-nodejs';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { leafKey } from './authority.mjs';

export const NAMESPACE = 'kr.go.rollcall.rrc.1';

export const ctx = {
  crypto: {
    random: (n) => new Uint8Array(randomBytes(n)),
    digest: ({ digestAlgorithm, bytes }) => new Uint8Array(createHash(digestAlgorithm.replace('-', '').toLowerCase()).update(bytes).digest()),
    calculateEphemeralMacKey: () => {
      throw new Error('a MAC is not expected');
    },
  },
  cose: {
    sign1: {
      sign: ({ toBeSigned, key }) => new Uint8Array(sign('sha256', toBeSigned, { key: createPrivateKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' })),
      verify: ({ sign1, key }) => verify('sha256', sign1.toBeSigned, { key: createPublicKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, sign1.signature),
    },
    mac0: {
      sign: () => {
        throw new Error('a MAC is not expected');
      },
      verify: () => false,
    },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) =>
      new X509Certificate(Buffer.from(certificate)).issuer.split('\n').filter((l) => l.startsWith(`${field}=`)).map((l) => l.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => owf.CoseKey.fromJwk(new X509Certificate(Buffer.from(certificate)).publicKey.export({ format: 'jwk' })),
    verifyCertificateChain: ({ trustedCertificates, x5chain, now }) =>
      void leafKey(x5chain.map((c) => Buffer.from(c).toString('base64')), new X509Certificate(Buffer.from(trustedCertificates[0])), now),
    getCertificateData: ({ certificate }) => {
      const c = new X509Certificate(Buffer.from(certificate));
      return { issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint256, notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString() };
    },
  },
};

export const coseKey = (jwk) => owf.CoseKey.fromJwk({ ...jwk, alg: 'ES256' });
const get = (m, k) => (m instanceof Map ? m.get(k) : m[k]);

export async function readMdoc(service, text) {
  const issuerSigned = owf.IssuerSigned.fromEncodedForOid4Vci(text);
  await issuerSigned.verify({ trustedCertificates: [service.iaca.raw], now: new Date() }, ctx);
  const mso = issuerSigned.issuerAuth.mobileSecurityObject;
  const plain = owf.cborDecode(mso.encode());
  const status = get(get(plain?.data ?? plain, 'status'), 'status_list');
  return { text, issuerSigned, deviceKey: mso.deviceKeyInfo.deviceKey.jwk, status: { uri: get(status, 'uri'), idx: Number(get(status, 'idx')) } };
}

export function sdjwtInstance(service, key) {
  return new SDJwtVcInstance({
    hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt, signAlg: 'ES256', kbSignAlg: 'ES256',
    verifier: async (data, signature) => {
      const { x5c } = JSON.parse(Buffer.from(data.split('.')[0], 'base64url').toString());
      return (await ES256.getVerifier(leafKey(x5c, service.iaca).export({ format: 'jwk' })))(data, signature);
    },
    kbSigner: key && ((data) => sign('sha256', Buffer.from(data), { key: createPrivateKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }).toString('base64url')),
    kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
  });
}

export async function readSDJwt(service, text) {
  const instance = sdjwtInstance(service);
  const { payload, header } = await instance.verify(text, { skipStatusCheck: true });
  if (header?.typ !== 'dc+sd-jwt') throw new Error(`typ is ${header?.typ}`);
  return { text, payload, status: payload.status.status_list };
}
