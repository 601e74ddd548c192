// Authorities of other makers, made by OpenSSL: of wallets, of phones' keys, of
// verifiers, of a balancer's TLS.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as jose from 'jose';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

// A root, and a certificate of it: their files, the key as JWK, the chain for x5c.
export async function authority(dir, name, extensions = []) {
  const file = (end) => join(dir, `${name}${end}`);
  const key = (end) => openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file(end));
  key('-root.key');
  key('.key');
  openssl('req', '-x509', '-new', '-key', file('-root.key'), '-sha256', '-days', '10', '-subj', `/C=KR/O=Others/CN=Root of ${name}`,
    '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', file('-root.pem'));
  openssl('req', '-new', '-key', file('.key'), '-sha256', '-subj', `/C=KR/O=Others/CN=${name}`, '-out', file('.csr'));
  writeFileSync(file('.ext'), ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', 'authorityKeyIdentifier=keyid', 'subjectKeyIdentifier=hash', ...extensions].join('\n'));
  openssl('x509', '-req', '-in', file('.csr'), '-CA', file('-root.pem'), '-CAkey', file('-root.key'), '-CAcreateserial', '-days', '5', '-sha256',
    '-extfile', file('.ext'), '-out', file('.pem'));
  const pem = readFileSync(file('.pem'), 'utf8');
  const jwk = await jose.exportJWK(await jose.importPKCS8(readFileSync(file('.key'), 'utf8'), 'ES256', { extractable: true }));
  return { root: file('-root.pem'), certificate: file('.pem'), keyFile: file('.key'), jwk: { ...jwk, alg: 'ES256' }, x5c: [new X509Certificate(pem).raw.toString('base64')] };
}

// The key of a chain's leaf, if the chain is one certificate of that root, valid now.
export function leafKey(x5c, root, now = new Date()) {
  if (x5c?.length !== 1) throw new Error(`x5c has ${x5c?.length} certificates`);
  const leaf = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  if (!root.ca || !leaf.checkIssued(root) || !leaf.verify(root.publicKey)) throw new Error('the certificate does not come from the root');
  for (const c of [leaf, root]) {
    if (now < new Date(c.validFrom) || now > new Date(c.validTo)) throw new Error(`the certificate of ${c.subject} is out of its time`);
  }
  return leaf.publicKey;
}
