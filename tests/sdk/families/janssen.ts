import assert from 'node:assert/strict';

// The generated SDK has no types.
// @ts-ignore
import sdk from 'jans_config_api';

import type { Checks } from '../support/checks.mjs';
import type { Server } from '../support/server.mjs';

const READ = 'https://jans.io/oauth/jans-auth-server/session.readonly';
const DELETE = 'https://jans.io/oauth/jans-auth-server/session.delete revoke_session';

interface Answer {
    error: any;
    data: any;
    response: any;
}

/** The SDK that the javascript generator makes, with the original server's own path and without. */
export async function janssen(server: Server, checks: Checks) {
    for (const base of ['', '/jans-config-api']) {
        await at(server.base + base, server, {
            run: (name, body) => checks.run(base ? `${name}, below ${base}` : name, body),
        });
    }
}

async function at(base: string, server: Server, checks: Pick<Checks, 'run'>) {
    const api = (token: string) => {
        const client = new sdk.ApiClient(base);
        client.authentications.oauth2.accessToken = token;
        return new sdk.AuthSessionManagementApi(client);
    };
    const call = (token: string, operation: string, ...parameters: unknown[]) =>
        new Promise<Answer>((resolve) => {
            api(token)[operation](...parameters, (error: any, data: any, response: any) => resolve({ error, data, response }));
        });
    const answered = async (...arguments_: Parameters<typeof call>) => {
        const { error, data } = await call(...arguments_);
        assert.equal(error, null, String(error));
        return data;
    };
    const dn = (user: string) => `inum=${user},ou=people,o=jans`;
    const reader = (await server.open(undefined, { scope: READ })).token;
    const deleter = (await server.open(undefined, { scope: DELETE })).token;

    await checks.run('janssen: getSessions lists everybody’s sessions as models', async () => {
        const mine = await server.open(undefined, { ip_address: '203.0.113.7', client_id: 'web', acr: 'aal1' });
        const page = await answered(reader, 'getSessions');
        assert.ok(page instanceof sdk.SessionPagedResult);
        assert.equal(page.start, 0);
        assert.equal(page.entriesCount, page.entries.length);
        assert.ok(page.totalEntriesCount >= page.entriesCount && page.entriesCount >= 3);
        const session = page.entries.find(({ outsideSid }: any) => outsideSid === mine.id) ?? (await answered(reader, 'getSessionById', mine.id));
        assert.ok(session instanceof sdk.SessionId);
        assert.deepEqual([session.userDn, session.state], [dn(mine.user), 'authenticated']);
        for (const time of [session.creationDate, session.authenticationTime, session.lastUsedAt, session.expirationDate]) {
            assert.ok(time instanceof Date && !Number.isNaN(time.getTime()));
        }
        const { auth_user, remote_ip, client_id, acr_values, sid } = session.sessionAttributes;
        assert.deepEqual([auth_user, remote_ip, client_id, acr_values, sid], [mine.user, '203.0.113.7', 'web', 'aal1', mine.id]);
        assert.deepEqual(session.permissionGrantedMap.permissionGranted, { web: true });
    });

    await checks.run('janssen: searchSession finds by pair and by pattern, sorts and pages', async () => {
        const user = server.newUser();
        const opened = [];
        for (let number = 0; number < 3; number += 1) opened.push(await server.open(user));
        const search = (options: object) => answered(reader, 'searchSession', options);
        const found = (page: any) => page.entries.map(({ outsideSid }: any) => outsideSid);
        const ids = opened.map(({ id }) => id);
        // The documentation's example: the user's inum, and dates.
        const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
        const fieldValuePair = `userDn=${user},expirationDate>${day(0)},expirationDate<${day(365)}`;
        const sorted = { sortBy: 'creationDate', fieldValuePair };
        const all = await search({ limit: 50, pattern: '', startIndex: 0, sortOrder: 'ascending', ...sorted });
        assert.deepEqual([found(all), all.totalEntriesCount], [ids, 3]);
        assert.deepEqual(found(await search({ ...sorted, sortOrder: 'descending' })), [...ids].reverse());
        const page = await search({ ...sorted, limit: 1, startIndex: 1 });
        assert.deepEqual([found(page), page.start, page.entriesCount, page.totalEntriesCount], [[ids[1]], 1, 1, 3]);
        for (const startIndex of [3, 2_000_000]) {
            const past = await search({ ...sorted, startIndex });
            assert.deepEqual([found(past), past.start, past.entriesCount, past.totalEntriesCount], [[], startIndex, 0, 3]);
        }
        assert.deepEqual(found(await search({ fieldValuePair: `userDn=${dn(user)}`, sortBy: 'creationDate' })), ids);
        assert.deepEqual(found(await search({ pattern: ids[0] })), [ids[0]]);
        assert.deepEqual(found(await search({ fieldValuePair: `${fieldValuePair},expirationDate<${day(-1)}` })), []);
    });

    await checks.run('janssen: searchSession takes the documentation’s example as it is', async () => {
        const example = 'userDn=d5552516-4436-4908-ab36-3e9725246304,expirationDate>2025-09-25,expirationDate<2026-10-15';
        const page = await answered(reader, 'searchSession', {
            limit: 50,
            pattern: "''",
            startIndex: 0,
            sortBy: 'jansId',
            sortOrder: 'ascending',
            fieldValuePair: example,
        });
        assert.deepEqual(page.entries, []);
    });

    await checks.run('janssen: a search that cannot be is 400 and says why', async () => {
        const tooMany = { code: '400', message: 'Maximum number of results per page is 200' };
        await refused(call(reader, 'searchSession', { limit: 201 }), 400, tooMany);
        for (const options of [
            { sortBy: 'nothing' },
            { fieldValuePair: 'userDn' },
            { fieldValuePair: 'nothing=1' },
            { fieldValuePair: 'expirationDate>someday' },
        ]) {
            const { code, message } = await refused(call(reader, 'searchSession', options), 400);
            assert.equal(code, '400');
            assert.ok(message);
        }
    });

    await checks.run('janssen: getSessionById shows one, and 404 where there is none', async () => {
        const mine = await server.open();
        const session = await answered(reader, 'getSessionById', mine.id);
        assert.ok(session instanceof sdk.SessionId);
        assert.equal(session.outsideSid, mine.id);
        for (const sid of ['nothing', '01890000-0000-7000-8000-000000000000', 'a/b c']) {
            await refused(call(reader, 'getSessionById', sid), 404, { code: '404', message: "The requested sid doesn't exist" });
        }
    });

    await checks.run('janssen: deleteSession ends one, and 404 where there is none', async () => {
        const mine = await server.open();
        const { error, data, response } = await call(deleter, 'deleteSession', mine.id);
        assert.deepEqual([error, data, response.status], [null, null, 204]);
        assert.equal(await server.stands(mine.token), false);
        const message = `No authenticated session exists for sid '${mine.id}'!!!`;
        await refused(call(deleter, 'deleteSession', mine.id), 404, { code: '404', message });
    });

    await checks.run('janssen: revokeUserSession ends all of a user’s, by name and by id', async () => {
        for (const name of [dn, (user: string) => user]) {
            const user = server.newUser();
            const [first, second] = [await server.open(user), await server.open(user)];
            const { error, response } = await call(deleter, 'revokeUserSession', name(user));
            assert.deepEqual([error, response.status], [null, 204]);
            assert.deepEqual([await server.stands(first.token), await server.stands(second.token)], [false, false]);
            const message = `No authenticated session exists for user '${name(user)}'!!!`;
            await refused(call(deleter, 'revokeUserSession', name(user)), 404, { code: '404', message });
        }
    });

    await checks.run('janssen: every operation is 401 without a token, and with too small a scope', async () => {
        const plain = (await server.open()).token;
        const operations: [string, ...unknown[]][] = [
            ['getSessions'],
            ['searchSession', {}],
            ['getSessionById', 'nothing'],
            ['deleteSession', 'nothing'],
            ['revokeUserSession', 'nobody'],
        ];
        for (const [operation, ...parameters] of operations) {
            const small = /^(delete|revoke)/.test(operation) ? reader : deleter;
            for (const token of ['', 'nonsense', plain, small]) {
                const { code, message } = await refused(call(token, operation, ...parameters), 401);
                assert.equal(code, '401');
                assert.ok(message);
            }
        }
    });
}

async function refused(call: Promise<Answer>, status: number, body?: object): Promise<{ code: string; message: string }> {
    const { error, response } = await call;
    assert.ok(error, 'it should be refused');
    assert.equal(error.status, status, String(error));
    if (body) assert.deepEqual(response.body, body);
    return response.body;
}
