// A real OpenID Connect provider on loopback. It prints its issuer as soon as it answers.
//
// Anybody logs in under any name; `people` says what is claimed of whom. POST /test/tamper makes
// it lie in the id tokens that follow: {claims, key} over what it would have said, signed with its
// own key, or with `key: "rogue"`, `"none"` or `"client"` instead.

import { createServer } from 'node:http';
import * as jose from 'jose';
import { Provider } from 'oidc-provider';

const people = {
  ada: { preferred_username: 'Ada', email: 'ada@example.org', email_verified: true, groups: ['staff'] },
  eve: { preferred_username: 'admin', email: 'eve@example.org', email_verified: false, groups: ['admins'] },
};
const client = { client_id: 'penstock', client_secret: 'the-secret-of-the-client' };

async function keyPair(kid) {
  const pair = await jose.generateKeyPair('RS256', { extractable: true });
  return { ...(await jose.exportJWK(pair.privateKey)), kid, use: 'sig', alg: 'RS256' };
}

const own = await keyPair('own');
const rogue = await keyPair('own');

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      ...client,
      application_type: 'native', // any port of the loopback (RFC 8252)
      redirect_uris: ['http://127.0.0.1/login/test/callback'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  claims: {
    openid: ['sub'],
    profile: ['preferred_username', 'groups'],
    email: ['email', 'email_verified'],
  },
  cookies: { keys: ['the key of the cookies'] },
  jwks: { keys: [own] },
  pkce: { required: () => true },
  conformIdTokenClaims: process.argv.includes('--userinfo'),
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
});

let tampering = null;

async function tampered(token) {
  const claims = { ...jose.decodeJwt(token), ...tampering.claims };
  for (const name of Object.keys(claims)) if (claims[name] === null) delete claims[name];
  if (tampering.key === 'none') return new jose.UnsecuredJWT(claims).encode();
  if (tampering.key === 'client') {
    const secret = new TextEncoder().encode(client.client_secret);
    return new jose.SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  }
  const key = await jose.importJWK(tampering.key === 'rogue' ? rogue : own, 'RS256');
  return new jose.SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(key);
}

provider.use(async (ctx, next) => {
  await next();
  if (tampering && ctx.path === '/token' && ctx.body?.id_token) {
    ctx.body.id_token = await tampered(ctx.body.id_token);
  }
});

const answer = provider.callback();
server.on('request', async (request, response) => {
  if (request.url !== '/test/tamper') {
    answer(request, response);
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  tampering = JSON.parse(Buffer.concat(chunks).toString());
  response.writeHead(204).end();
});

console.log(issuer);
