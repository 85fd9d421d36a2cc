// Libraries from npm: oauth4webapi, openid-client, simple-oauth2, token-introspection.
import * as oauth4webapi from 'oauth4webapi';
import * as openid from 'openid-client';
import { AuthorizationCode } from 'simple-oauth2';
import tokenIntrospection from 'token-introspection';

// The test's server has no certificate.
const INSECURE = { [oauth4webapi.allowInsecureRequests]: true };

/** The error of an answer with a challenge: a Basic one says that the client is refused. @param {any} error */
function codeOf(error) {
    if (error.cause?.some?.((/** @type {any} */ challenge) => challenge.scheme === 'basic')) return 'invalid_client';
    return error.error;
}

/** @param {{ active: boolean }} told */
const activeOnly = (told) => (told.active ? told : undefined);

/** @type {import('./oauth.mjs').Library} */
const OAUTH4WEBAPI = {
    name: 'oauth4webapi',
    ways: ['basic', 'post', 'none'],
    code: codeOf,
    async connect({ base, id, secret = '', way }) {
        const issuer = new URL(base);
        const found = await oauth4webapi.discoveryRequest(issuer, { algorithm: 'oauth2', ...INSECURE });
        const server = await oauth4webapi.processDiscoveryResponse(issuer, found);
        const client = { client_id: id };
        const ways = {
            basic: () => oauth4webapi.ClientSecretBasic(secret),
            post: () => oauth4webapi.ClientSecretPost(secret),
            none: () => oauth4webapi.None(),
        };
        const authentication = ways[way]();
        const introspect = async (token) => {
            const answer = await oauth4webapi.introspectionRequest(server, client, authentication, token, INSECURE);
            return activeOnly(await oauth4webapi.processIntrospectionResponse(server, client, answer));
        };
        return {
            discovered: () => server,
            ...(way !== 'none' && { introspect }),
            refresh: async (token) => {
                const answer = await oauth4webapi.refreshTokenGrantRequest(server, client, authentication, token, INSECURE);
                return oauth4webapi.processRefreshTokenResponse(server, client, answer);
            },
            revoke: async (token) => {
                const answer = await oauth4webapi.revocationRequest(server, client, authentication, token, INSECURE);
                return oauth4webapi.processRevocationResponse(answer);
            },
        };
    },
};

/** @type {import('./oauth.mjs').Library} */
const OPENID_CLIENT = {
    name: 'openid-client',
    ways: ['default', 'basic', 'none'],
    code: codeOf,
    async connect({ base, id, secret = '', way }) {
        // With a secret and nothing else, this library sends it in the form.
        const ways = { default: () => undefined, basic: () => openid.ClientSecretBasic(secret), none: () => openid.None() };
        const options = { execute: [openid.allowInsecureRequests] };
        const config = await openid.discovery(new URL(base), id, way === 'none' ? undefined : secret, ways[way](), options);
        const introspect = async (token) => activeOnly(await openid.tokenIntrospection(config, token));
        return {
            discovered: () => config.serverMetadata(),
            ...(way !== 'none' && { introspect }),
            refresh: (token) => openid.refreshTokenGrant(config, token),
            revoke: (token) => openid.tokenRevocation(config, token),
        };
    },
};

/** @type {import('./oauth.mjs').Library} */
const SIMPLE_OAUTH2 = {
    name: 'simple-oauth2',
    ways: ['default', 'body'],
    code: (error) => error.data?.payload?.error,
    async connect({ base, id, secret, way }) {
        const auth = { tokenHost: base, tokenPath: '/oauth2/token', revokePath: '/oauth2/revoke' };
        const options = way === 'body' ? { authorizationMethod: 'body' } : {};
        const client = new AuthorizationCode({ client: { id, secret }, auth, options });
        return {
            refresh: async (token) => (await client.createToken({ refresh_token: token }).refresh()).token,
            revoke: (token) => client.createToken({ access_token: token }).revoke('access_token'),
        };
    },
};

/** @type {import('./oauth.mjs').Library} */
const TOKEN_INTROSPECTION = {
    name: 'token-introspection',
    ways: ['default', 'Bearer'],
    code: (error) => (error.message.includes('"invalid_client"') || error.message.includes('"invalid_token"') ? 'invalid_client' : error.message),
    async connect({ base, id, secret, way }) {
        const credential = way === 'Bearer' ? { access_token: secret } : { client_id: id, client_secret: secret };
        const introspect = tokenIntrospection({ endpoint: `${base}/oauth2/introspect`, ...credential });
        return { introspect: (token) => introspect(token).catch(unlessInactive) };
    },
};

/** @param {Error} error */
function unlessInactive(error) {
    if (error.name === 'TokenNotActiveError') return undefined;
    throw error;
}

export const LIBRARIES = [OAUTH4WEBAPI, OPENID_CLIENT, SIMPLE_OAUTH2, TOKEN_INTROSPECTION];

/** Libraries that verify access tokens with the published keys. @param {string} audience */
export function verifiers(audience) {
    const introspection = async (base, token, more = {}) => {
        const verify = tokenIntrospection({ jwks_uri: `${base}/.well-known/jwks.json`, ...more });
        return (await verify(token).catch(unlessInactive))?.sub;
    };
    return [
        {
            name: 'oauth4webapi',
            algorithms: ['EdDSA', 'ES256', 'RS256'],
            subject: async (base, token) => {
                const issuer = new URL(base);
                const server = await oauth4webapi.processDiscoveryResponse(issuer, await oauth4webapi.discoveryRequest(issuer, INSECURE));
                const request = new Request(audience, { headers: { authorization: `Bearer ${token}` } });
                return (await oauth4webapi.validateJwtAccessToken(server, request, audience, INSECURE)).sub;
            },
        },
        { name: 'token-introspection', algorithms: ['RS256'], subject: introspection },
        {
            name: 'token-introspection with allowed_algs',
            algorithms: ['ES256'],
            subject: (base, token) => introspection(base, token, { allowed_algs: ['ES256', 'EdDSA'] }),
        },
    ];
}
