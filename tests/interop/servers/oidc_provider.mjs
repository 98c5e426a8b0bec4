// oidc-provider (OpenID-certified) on a free port of 127.0.0.1, with faults and rotation on demand.
// Says `READY <issuer>`; ends when its standard input does, so that it never outlives a test.
//
//   POST /_test/rotate?mode=add|replace   new keys sign; the old ones stay published, or not
//   POST /_test/fault                     {"path", "status"?, "headers"?, "body"?, "then"?}, or {} to heal
//   GET  /_test/state                     {"requests": {..}, "last": {..}}
import crypto from 'node:crypto';
import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const SCOPE = 'read:word write:word team:blue';
const server = http.createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const ISSUER = `http://127.0.0.1:${server.address().port}`;

let generation = 0;
async function newKeys() {
  generation += 1;
  return Promise.all(['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519'].map(async (curve) => {
    const { privateKey } = await generateKeyPair(curve, { extractable: true, modulusLength: 2048 });
    const alg = curve === 'Ed25519' ? 'EdDSA' : curve;
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${generation}` };
  }));
}

// The provider's own store forgets all but the last thousand entries.
const store = new Map();
const grants = new Map();
class Store {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload, lifetime) {
    const key = this.key(id);
    store.set(key, { payload, expiry: lifetime ? Date.now() + lifetime * 1000 : Infinity });
    if (payload.grantId) grants.set(payload.grantId, [...(grants.get(payload.grantId) ?? []), key]);
  }
  async find(id) {
    const entry = store.get(this.key(id));
    return entry && entry.expiry > Date.now() ? entry.payload : undefined;
  }
  async destroy(id) {
    store.delete(this.key(id));
  }
  async consume(id) {
    const entry = store.get(this.key(id));
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }
  async revokeByGrantId(grant) {
    for (const key of grants.get(grant) ?? []) store.delete(key);
    grants.delete(grant);
  }
}

// A resource indicator (RFC 8707) chooses what kind of token there is.
const jwt = (alg, audience = 'urn:kit:words') =>
  ({ scope: SCOPE, audience, accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg } } });
const opaque = (audience, seconds = 300) =>
  ({ scope: SCOPE, audience, accessTokenFormat: 'opaque', accessTokenTTL: seconds });
const RESOURCES = {
  'urn:kit:words:rs256': jwt('RS256'),
  'urn:kit:words:ps256': jwt('PS256'),
  'urn:kit:words:es256': jwt('ES256'),
  'urn:kit:words:es384': jwt('ES384'),
  'urn:kit:words:eddsa': jwt('EdDSA'),
  'urn:kit:other': jwt('ES256', 'urn:kit:other'),
  'urn:kit:words:opaque': opaque('urn:kit:words'),
  'urn:kit:words:opaque:short': opaque('urn:kit:words', 2),
  'urn:kit:other:opaque': opaque('urn:kit:other'),
};

const confidential = (id, more = {}) => ({
  client_id: id, client_secret: `${id}-secret`, grant_types: ['client_credentials'],
  redirect_uris: [], response_types: [], scope: SCOPE, ...more,
});
const key = process.env.CLIENT_JWKS ? { jwks: JSON.parse(process.env.CLIENT_JWKS) } : undefined;
const CLIENTS = [
  confidential('svc'),
  confidential('svc-post', { token_endpoint_auth_method: 'client_secret_post' }),
  confidential('svc-dpop', { dpop_bound_access_tokens: true }),
  // Resource servers: they may ask about every token, and get none.
  confidential('rs', { grant_types: [], scope: undefined }),
  // RFC 6749 §2.3.1: both parts of `basic` are form-url-encoded first.
  confidential('rs:odd %', { client_secret: 'a+b /c:%', grant_types: [], scope: undefined }),
  confidential('rs-post', { grant_types: [], scope: undefined, token_endpoint_auth_method: 'client_secret_post' }),
  ...(key ? [confidential('rs-jwt', { client_secret: undefined, ...key, grant_types: [], scope: undefined, token_endpoint_auth_method: 'private_key_jwt' })] : []),
];

function provider(keys) {
  const made = new Provider(ISSUER, {
    adapter: Store,
    jwks: { keys },
    clients: CLIENTS,
    scopes: ['openid', ...SCOPE.split(' ')],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: (_, client, token) => client.clientId.startsWith('rs') || token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:kit:words:rs256',
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (RESOURCES[resource]) return RESOURCES[resource];
          throw Object.assign(new Error('invalid_target'), { error: 'invalid_target', status: 400, expose: true });
        },
      },
    },
    ttl: { ClientCredentials: (_, token) => token.resourceServer?.accessTokenTTL ?? 300 },
  });
  made.on('server_error', (_, error) => console.error('server_error', error));
  return made.callback();
}

const ENDPOINTS = { '/jwks': 'jwks', '/token/introspection': 'introspection', '/token': 'token' };
const requests = { jwks: 0, introspection: 0, token: 0, discovery: 0, elsewhere: 0 };
const last = {};
let keys = await newKeys();
let answer = provider(keys);
let fault = {};

const read = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

// Something that a client must survive, in place of the answer.
function misbehave(request, response) {
  if (fault.then === 'hang') return;
  response.writeHead(fault.status ?? 200, { 'content-type': 'application/json', ...fault.headers });
  if (fault.then === 'huge') return gigabyte(response);
  if (fault.then === 'truncate') {
    response.write(fault.body ?? '{');
    setTimeout(() => response.destroy(), 20);
  } else if (fault.then === 'drip') {
    const timer = setInterval(() => response.write(' '), 500);
    response.on('close', () => clearInterval(timer));
  } else {
    response.end(fault.body ?? '');
  }
}

// White space is JSON as far as it goes.
function gigabyte(response) {
  const chunk = Buffer.alloc(1 << 20, ' ');
  let sent = 0;
  const push = () => {
    while (sent++ < 1024 && !response.destroyed) {
      if (!response.write(chunk)) return response.once('drain', push);
    }
    response.end('{"active": true, "keys": []}');
  };
  push();
}

const TESTS = {
  '/_test/state': async () => ({ requests, last }),
  '/_test/rotate': async (url) => {
    const fresh = await newKeys();
    keys = url.searchParams.get('mode') === 'replace' ? fresh : [...fresh, ...keys];
    answer = provider(keys);
    return keys.map((key) => key.kid);
  },
  '/_test/fault': async (_, request) => {
    fault = JSON.parse(await read(request));
    return {};
  },
};

server.on('request', async (request, response) => {
  const url = new URL(request.url, ISSUER);
  if (TESTS[url.pathname]) {
    return response.end(JSON.stringify(await TESTS[url.pathname](url, request)));
  }
  const endpoint = ENDPOINTS[url.pathname] ?? (url.pathname.startsWith('/.well-known') ? 'discovery' : 'elsewhere');
  requests[endpoint] += 1;
  last[endpoint] = request.headers;
  if (fault.path === endpoint) return misbehave(request, response);
  return answer(request, response);
});
process.stdin.on('end', () => process.exit()).resume();
console.log(`READY ${ISSUER}`);
