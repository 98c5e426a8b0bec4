// Token exchange (RFC 8693), which oidc-provider leaves to its users. What reads the request and
// authenticates the client is its own; the checks of the grant are here.
import { createLocalJWKSet, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';
import { EXCHANGE, RESOURCES } from './oidc_registry.mjs';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = [
  'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type',
  'audience', 'resource', 'scope',
];

export function registerExchange(provider, keys) {
  const published = createLocalJWKSet({ keys: keys.map(({ d, p, q, dp, dq, qi, ...open }) => open) });
  // A signed token that was issued here; nobody else's word counts.
  const read = async (token, type) => {
    if (type !== ACCESS_TOKEN) throw new errors.InvalidRequest(`unsupported token type ${type}`);
    try {
      return (await jwtVerify(token, published, { issuer: provider.issuer, typ: 'at+jwt' })).payload;
    } catch (error) {
      throw new errors.InvalidGrant('the token is not valid', error.message);
    }
  };
  provider.registerGrantType(EXCHANGE, async (ctx) => {
    const { client, params } = ctx.oidc;
    const subject = await read(params.subject_token, params.subject_token_type);
    const actor = params.actor_token ? await read(params.actor_token, params.actor_token_type) : undefined;
    const info = RESOURCES[params.resource];
    if (!info) throw new errors.InvalidTarget();
    const granted = (params.scope ?? subject.scope).split(' ');
    if (!granted.every((scope) => subject.scope.split(' ').includes(scope))) {
      throw new errors.InvalidScope('more than the subject has', params.scope);
    }
    const token = new provider.AccessToken({
      accountId: subject.sub, client, scope: granted.join(' '), grantId: 'exchanged', gty: 'exchange',
    });
    token.resourceServer = new provider.ResourceServer(params.resource, info);
    // RFC 8693 §4.1: who acts, and for whom that one acted.
    token.extra = { act: { sub: actor?.sub ?? client.clientId, ...(subject.act && { act: subject.act }) } };
    ctx.body = {
      access_token: await token.save(), issued_token_type: ACCESS_TOKEN, token_type: token.tokenType,
      expires_in: token.expiration, scope: token.scope,
    };
  }, PARAMETERS, []);
}
