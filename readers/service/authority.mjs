// Authorities of other makers, made by OpenSSL: of wallets, of phones' keys, of
// verifiers, of a balancer's TLS.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
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

// Certificates that were found good, DER in base64: OpenSSL and zlint look at them, too.
export const seen = new Set();

// The key of a chain's leaf, if the chain is one certificate of that root, valid now.
export function leafKey(x5c, root, now = new Date()) {
  if (x5c?.length !== 1) throw new Error(`x5c has ${x5c?.length} certificates`);
  const leaf = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  if (!root.ca || !leaf.checkIssued(root) || !leaf.verify(root.publicKey)) throw new Error('the certificate does not come from the root');
  for (const c of [leaf, root]) {
    if (now < new Date(c.validFrom) || now > new Date(c.validTo)) throw new Error(`the certificate of ${c.subject} is out of its time`);
  }
  seen.add(x5c[0]);
  return leaf.publicKey;
}

// Whether OpenSSL finds a certificate good under its root and the list, DER, of what that
// revoked: "good", "revoked", or what it says.
export function bySSL(dir, leaf, root, list) {
  mkdirSync(dir, { recursive: true });
  const file = (name) => join(dir, name);
  for (const [name, c] of Object.entries({ leaf, root })) writeFileSync(file(`${name}.pem`), c.toString());
  writeFileSync(file('list.der'), list);
  openssl('crl', '-inform', 'DER', '-in', file('list.der'), '-out', file('list.pem'));
  openssl('crl', '-in', file('list.pem'), '-CAfile', file('root.pem'), '-noout');
  try {
    openssl('verify', '-x509_strict', '-crl_check', '-CAfile', file('root.pem'), '-CRLfile', file('list.pem'), file('leaf.pem'));
    return 'good';
  } catch (e) {
    const said = `${e.stdout}${e.stderr}`;
    return /error 23 .*certificate revoked/.test(said) ? 'revoked' : said;
  }
}

// Writes them as PEM, with the roots and the one that a server shows.
export async function writeSeen(dir, url, roots, lists) {
  mkdirSync(dir, { recursive: true });
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port, servername: hostname });
  await once(socket, 'secureConnect');
  seen.add(socket.getPeerCertificate().raw.toString('base64'));
  socket.destroy();
  for (const r of roots) seen.add(r.raw.toString('base64'));
  let n = 0;
  for (const one of seen) writeFileSync(join(dir, `${++n}.pem`), new X509Certificate(Buffer.from(one, 'base64')).toString());
  for (const [name, der] of Object.entries(lists)) {
    writeFileSync(join(dir, `${name}.crl.der`), der);
    openssl('crl', '-inform', 'DER', '-in', join(dir, `${name}.crl.der`), '-out', join(dir, `${name}.pem`));
  }
  return n;
}
