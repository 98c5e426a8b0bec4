// Who may ask oidc-provider for what.
export const SCOPE = 'read:word write:word team:blue';
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

// A resource indicator (RFC 8707) chooses what kind of token there is.
const jwt = (alg, audience = 'urn:kit:words', seconds = 3600) =>
  ({ scope: SCOPE, audience, accessTokenFormat: 'jwt', accessTokenTTL: seconds, jwt: { sign: { alg } } });
const opaque = (audience, seconds = 300) =>
  ({ scope: SCOPE, audience, accessTokenFormat: 'opaque', accessTokenTTL: seconds });
export const RESOURCES = {
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
// Without a secret: it shows who it is in another way.
const named = (id, method, more = {}) =>
  confidential(id, { client_secret: undefined, token_endpoint_auth_method: method, ...more });
// Resource servers: they may ask about every token, and get none.
const asking = (id, more = {}) => confidential(id, { grant_types: [], scope: undefined, ...more });
// A program on its user's machine (RFC 8252): any port of the loopback address will do.
const program = {
  application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE], scope: `openid offline_access ${SCOPE}`,
};
// All that RFC 6749 allows in a secret (appendix A.2), as far as encodings disagree about it.
const ODD = 'a+b /c:%41&=?#"\\~';

export const clients = (jwks) => [
  confidential('svc'),
  confidential('svc-post', { scope: 'read:word', token_endpoint_auth_method: 'client_secret_post' }),
  confidential('svc:odd %', { client_secret: ODD }),
  confidential('svc-post:odd %', { client_secret: ODD, token_endpoint_auth_method: 'client_secret_post' }),
  confidential('svc-dpop', { dpop_bound_access_tokens: true }),
  confidential('svc-nonce', { dpop_bound_access_tokens: true }),
  confidential('svc-exchange', { grant_types: [EXCHANGE] }),
  named('svc-tls', 'tls_client_auth', { tls_client_auth_san_dns: 'svc-tls.example.com' }),
  named('svc-bound', 'tls_client_auth', {
    tls_client_auth_san_dns: 'svc-tls.example.com', tls_client_certificate_bound_access_tokens: true,
  }),
  named('cli', 'none', program),
  confidential('web', program),
  asking('rs'),
  // RFC 6749 §2.3.1: both parts of `basic` are form-url-encoded first.
  asking('rs:odd %', { client_secret: 'a+b /c:%' }),
  asking('rs-post', { token_endpoint_auth_method: 'client_secret_post' }),
  ...(jwks ? [
    named('svc-jwt', 'private_key_jwt', { jwks }),
    named('rs-jwt', 'private_key_jwt', { jwks, grant_types: [], scope: undefined }),
  ] : []),
];
