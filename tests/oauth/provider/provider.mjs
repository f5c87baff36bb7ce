// A certified OpenID provider on loopback: node provider.mjs MODULE HOST:PORT
// Its own pages for login and consent take any user; refresh tokens are replaced with each use.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [module, address] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(module));
const issuer = `http://${address}`;

const redirects = ['t', 'other'].map((tenant) => `https://bots.example.com/t/${tenant}/oauth/callback`);
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'bot',
      client_secret: 'canary-client-secret',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [...redirects, 'https://bots.example.com/webhook/connected'],
    },
  ],
  pkce: { methods: ['S256'], required: () => true },
  scopes: ['openid', 'offline_access', 'mail', 'files'],
  issueRefreshToken: async (_ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  rotateRefreshToken: true,
  ttl: { AccessToken: 120, AuthorizationCode: 60, RefreshToken: 3600, Interaction: 600, Session: 600, Grant: 3600, IdToken: 120 },
});

const [host, port] = address.split(':');
createServer(provider.callback()).listen(Number(port), host);
