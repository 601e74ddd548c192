// Staff and verifiers of the demonstration: their keys lie in the data folder.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as jose from 'jose';

export class Party {
  constructor(url, data, id) {
    Object.assign(this, { url, id, jwk: JSON.parse(readFileSync(join(data, `${id}.jwk`), 'utf8')) });
  }

  async assertion(claims = {}) {
    return new jose.SignJWT({ iss: this.id, sub: this.id, aud: this.url, jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', ...(this.jwk.kid && { kid: this.jwk.kid }) }).setIssuedAt().setExpirationTime('2m').sign(await jose.importJWK(this.jwk, 'ES256'));
  }

  async token(assertion) {
    const answer = await fetch(`${this.url}/parties/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials', client_assertion: assertion ?? (await this.assertion()), client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    });
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(`${this.id} gets no token: ${answer.status} ${body.error}`), { status: answer.status, code: body.error });
    return body.access_token;
  }

  async ask(method, path, body) {
    this.bearer ??= await this.token();
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        Authorization: `Bearer ${this.bearer}`,
        ...(body && { 'Content-Type': 'application/json' }),
        ...(method !== 'GET' && { 'Idempotency-Key': randomUUID() }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(`${method} ${path} answers ${answer.status}: ${text}`), { status: answer.status });
    return text ? JSON.parse(text) : undefined;
  }
}
