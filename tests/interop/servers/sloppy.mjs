// oauth2-mock-server: signs whatever it is asked to, without `aud` and `typ: at+jwt`.
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');
// It calls itself localhost, which may be another address.
server.issuer.url = `http://127.0.0.1:${server.address().port}`;
process.stdin.on('end', () => process.exit()).resume();
console.log(`READY ${server.issuer.url}`);
