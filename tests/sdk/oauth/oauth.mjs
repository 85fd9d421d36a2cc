// The OAuth endpoints through client libraries in their default configuration. Each library is a function that connects
// with a client's name and secret, and returns those of `discovered`, `introspect`, `refresh` and `revoke` that it has.
import assert from 'node:assert/strict';

import { Server } from '../support/server.mjs';
import { apache } from './apache.mjs';
import * as node from './node.mjs';
import * as python from './python.mjs';

/**
 * @typedef {{ base: string, id: string, secret?: string, way: string }} Client
 * @typedef {{
 *   discovered?: () => Record<string, unknown>,
 *   introspect?: (token: string) => Promise<Record<string, unknown> | undefined>,
 *   refresh?: (token: string) => Promise<{ access_token: string, refresh_token: string }>,
 *   revoke?: (token: string) => Promise<unknown>,
 *   close?: () => void,
 * }} Connected
 * @typedef {{
 *   name: string, ways: string[], connect: (client: Client) => Promise<Connected>,
 *   code?: (error: any) => string | undefined, caches?: (way: string) => boolean,
 * }} Library
 */

/** The address of the applications that ask: django-oauth-toolkit wants the audience to be the start of its own. */
const AUDIENCE = 'http://testserver/';

/** @param {import('../support/checks.mjs').Checks} checks @param {string} [databaseUrl] */
export async function oauth(checks, databaseUrl) {
    const server = new Server();
    try {
        await server.startAsIssuer(databaseUrl, { SOJOURN_AUDIENCE: AUDIENCE });
        const key = await server.makeKey('sessions:read');
        for (const library of node.LIBRARIES) await runLibrary(library, server, checks, key);
        if (process.env.SOJOURN_PYTHON) {
            for (const library of python.LIBRARIES) await runLibrary(library, server, checks, key);
        } else {
            console.log('left out: authlib and django-oauth-toolkit, because Python has no venv');
        }
        if (process.env.SOJOURN_APACHE) {
            await runLibrary(apache(process.env.SOJOURN_APACHE), server, checks, key);
        } else {
            console.log('left out: mod_auth_openidc, because it is not installed and apt-get cannot get it');
        }
    } finally {
        await server.stop();
    }
}

/** Libraries that verify access tokens themselves. @param {import('../support/checks.mjs').Checks} checks */
export async function offline(checks) {
    const verifiers = [...node.verifiers(AUDIENCE), ...(process.env.SOJOURN_PYTHON ? [python.verifier(AUDIENCE)] : [])];
    for (const algorithm of ['EdDSA', 'ES256', 'RS256']) {
        const server = new Server();
        try {
            await server.startAsIssuer(undefined, { SOJOURN_SIGNING_ALGORITHM: algorithm, SOJOURN_AUDIENCE: AUDIENCE });
            const { token, user } = await server.open();
            for (const { name, algorithms, subject } of verifiers) {
                const known = algorithms.includes(algorithm);
                await checks.run(`${name}: ${known ? 'verifies' : 'knows no'} ${algorithm}`, async () => {
                    assert.equal(await subject(server.base, token), known ? user : undefined);
                });
            }
        } finally {
            await server.stop();
        }
    }
}

/** @param {Library} library @param {Server} server @param {import('../support/checks.mjs').Checks} checks @param {string} key */
async function runLibrary(library, server, checks, key) {
    for (const way of library.ways) {
        const name = `${library.name} (${way})`;
        /** @param {string} [secret] */
        const connect = (secret) => library.connect({ base: server.base, id: 'any client', secret, way });
        const connected = await connect(way === 'none' ? undefined : key);
        try {
            if (connected.discovered) await checks.run(`${name}: discovers the endpoints`, () => discovers(connected, server));
            if (connected.introspect) {
                await checks.run(`${name}: introspects active, unknown and ended tokens`, () => introspects(connected, server, library.caches?.(way)));
            }
            if (connected.refresh) await checks.run(`${name}: refreshes`, () => refreshes(library, connected, server));
            if (connected.revoke) await checks.run(`${name}: revokes`, () => revokes(connected, server));
        } finally {
            connected.close?.();
        }
        if (way === 'none') continue;
        const wrong = await connect('wrong');
        try {
            await checks.run(`${name}: a wrong secret is refused`, () => isRefused(library, wrong, server));
        } finally {
            wrong.close?.();
        }
    }
}

/** @param {Connected} connected @param {Server} server */
function discovers(connected, server) {
    const metadata = connected.discovered?.() ?? {};
    const endpoints = ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'jwks_uri'].map((name) => metadata[name]);
    const paths = ['/oauth2/token', '/oauth2/introspect', '/oauth2/revoke', '/.well-known/jwks.json'];
    assert.deepEqual(endpoints, paths.map((path) => server.base + path));
}

/** @param {Connected} connected @param {Server} server @param {boolean} [caches] */
async function introspects({ introspect }, server, caches) {
    assert.ok(introspect);
    const admins = [await server.open(undefined, { user: { name: 'admin' } }), await server.open(undefined, { user: { name: 'admin' } })];
    for (const { token, user } of admins) assert.equal((await introspect(token))?.username, user);
    const { token } = await server.open(undefined, { tokens: 'session' });
    assert.ok(await introspect(token));
    for (const unknown of ['nonsense', admins[0].token.slice(0, -2)]) assert.equal(await introspect(unknown), undefined);
    const ended = await server.open();
    assert.equal((await server.call('DELETE', `/v1/sessions/${ended.id}`)).status, 204);
    assert.equal(await introspect(ended.token), undefined);
    // A library with a cache of its own goes on with what it was told before.
    assert.equal((await server.call('DELETE', `/v1/sessions/${admins[0].id}`)).status, 204);
    if (!caches) assert.equal(await introspect(admins[0].token), undefined);
}

/** @param {Library} library @param {Connected} connected @param {Server} server */
async function refreshes(library, { refresh }, server) {
    assert.ok(refresh);
    const { id, body } = await server.open();
    const first = await refresh(body.refresh_token);
    const second = await refresh(first.refresh_token);
    assert.notEqual(first.refresh_token, second.refresh_token);
    assert.ok(await server.stands(second.access_token));
    assert.equal((await server.call('DELETE', `/v1/sessions/${id}`)).status, 204);
    await refusedAs(library, 'invalid_grant', refresh(second.refresh_token));
}

/** @param {Connected} connected @param {Server} server */
async function revokes({ revoke }, server) {
    assert.ok(revoke);
    for (const one of ['access_token', 'refresh_token', 'session_token']) {
        const { token, body } = await server.open(undefined, { tokens: one === 'session_token' ? 'session' : 'access_and_refresh' });
        await revoke(body[one]);
        assert.equal(await server.stands(token), false, one);
        await revoke(body[one]);
    }
    await revoke('nonsense');
}

/** @param {Library} library @param {Connected} connected @param {Server} server */
async function isRefused(library, { introspect, refresh, revoke }, server) {
    const { token, body } = await server.open();
    if (introspect && library.code) await refusedAs(library, 'invalid_client', introspect(token));
    // Libraries for the side of the resource tell their application no more than that the token is no good.
    if (introspect && !library.code) assert.equal(await introspect(token), undefined);
    if (refresh) await refusedAs(library, 'invalid_client', refresh(body.refresh_token));
    if (revoke) await refusedAs(library, 'invalid_client', revoke(body.refresh_token));
    assert.ok(await server.stands(token));
}

/** @param {Library} library @param {string} code @param {Promise<unknown>} call */
async function refusedAs(library, code, call) {
    const error = await call.then(
        () => assert.fail('it should be refused'),
        (error) => error,
    );
    assert.equal(library.code?.(error), code, String(error));
}
