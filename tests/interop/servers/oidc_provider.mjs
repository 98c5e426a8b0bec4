// oidc-provider (OpenID-certified) on a free port of 127.0.0.1, with faults and rotation on demand.
// Says `READY <issuer>`; ends when its standard input does, so that it never outlives a test.
//
//   POST /_test/rotate?mode=add|replace   new keys sign; the old ones stay published, or not
//   POST /_test/fault                     {"path", "status"?, "headers"?, "body"?, "then"?}, or {} to heal
//   GET  /_test/state                     {"requests": {..}, "last": {..}}
import crypto from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { errors } from 'oidc-provider';
import { registerExchange } from './oidc_exchange.mjs';
import { clients, RESOURCES, SCOPE } from './oidc_registry.mjs';
import { Store } from './oidc_store.mjs';

const port = (server) =>
  new Promise((listening) => server.listen(0, '127.0.0.1', () => listening(server.address().port)));
const server = http.createServer();
const ISSUER = `http://127.0.0.1:${await port(server)}`;

// With PEM in `TLS`, the token endpoint also takes connections with a client certificate.
const tls = process.env.TLS && {
  server: https.createServer({ ...JSON.parse(process.env.TLS), requestCert: true, rejectUnauthorized: false }),
};
if (tls) tls.base = `https://127.0.0.1:${await port(tls.server)}`;

let generation = 0;
async function newKeys() {
  generation += 1;
  return Promise.all(['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519'].map(async (curve) => {
    const { privateKey } = await generateKeyPair(curve, { extractable: true, modulusLength: 2048 });
    const alg = curve === 'Ed25519' ? 'EdDSA' : curve;
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${generation}` };
  }));
}

function provider(keys) {
  const made = new Provider(ISSUER, {
    adapter: Store,
    jwks: { keys },
    clients: clients(process.env.CLIENT_JWKS && JSON.parse(process.env.CLIENT_JWKS)),
    scopes: ['openid', 'offline_access', ...SCOPE.split(' ')],
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none', ...(tls ? ['tls_client_auth'] : []),
    ],
    cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
    // RFC 8705 §5: where connections have a client certificate.
    discovery: tls ? { mtls_endpoint_aliases: { token_endpoint: `${tls.base}/token` } } : {},
    features: {
      // Its own pages for people: any name and password will do.
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: crypto.randomBytes(32),
        requireNonce: (ctx) => ctx.oidc.client?.clientId === 'svc-nonce',
      },
      mTLS: {
        enabled: Boolean(tls),
        tlsClientAuth: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_san_dns'
          && (ctx.socket.getPeerX509Certificate().subjectAltName ?? '').split(', ').includes(`DNS:${expected}`),
      },
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
          throw new errors.InvalidTarget();
        },
      },
    },
    extraTokenClaims: (_, token) => token.extra,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: (_, token) => token.resourceServer?.accessTokenTTL ?? 300,
      ClientCredentials: (_, token) => token.resourceServer?.accessTokenTTL ?? 300,
      DeviceCode: 600, Grant: 3600, IdToken: 3600, Interaction: 600, RefreshToken: 86400, Session: 3600,
    },
  });
  registerExchange(made, keys);
  made.on('server_error', (_, error) => console.error('server_error', error));
  return made.callback();
}

const ENDPOINTS = {
  '/jwks': 'jwks', '/token/introspection': 'introspection', '/token/revocation': 'revocation', '/token': 'token',
};
const requests = { jwks: 0, introspection: 0, revocation: 0, token: 0, discovery: 0, elsewhere: 0 };
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
    fault.heal?.();
    fault = JSON.parse(await read(request));
    fault.healed = new Promise((heal) => (fault.heal = heal));
    return {};
  },
};

async function serve(request, response) {
  const url = new URL(request.url, ISSUER);
  if (TESTS[url.pathname]) {
    return response.end(JSON.stringify(await TESTS[url.pathname](url, request)));
  }
  const endpoint = ENDPOINTS[url.pathname] ?? (url.pathname.startsWith('/.well-known') ? 'discovery' : 'elsewhere');
  requests[endpoint] += 1;
  last[endpoint] = request.headers;
  if (fault.path === endpoint && fault.then === 'wait') await fault.healed;
  else if (fault.path === endpoint) return misbehave(request, response);
  return answer(request, response);
}

server.on('request', serve);
tls?.server.on('request', serve);
process.stdin.on('end', () => process.exit()).resume();
console.log(`READY ${ISSUER}`);
