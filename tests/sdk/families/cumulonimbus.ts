import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import Cumulonimbus from 'cumulonimbus-wrapper';

import type { Checks } from '../support/checks.mjs';
import type { Opened, Server } from '../support/server.mjs';

const INVALID_SESSION = { code: 'INVALID_SESSION_ERROR', message: 'Invalid Session' };
const PERMISSIONS = { code: 'INSUFFICIENT_PERMISSIONS_ERROR', message: 'Missing Permissions' };
const INVALID_USER = { code: 'INVALID_USER_ERROR', message: 'Invalid User' };
const BANNED = { code: 'BANNED_ERROR', message: 'Banned' };

/**
 * Programs for staff follow the documentation: curl or fetch, with the bare token in the header. Programs for users have a
 * wrapper.
 */
export async function cumulonimbus(server: Server, checks: Checks) {
    const staff = await server.open(undefined, { scope: 'sessions:admin' });

    const send = async (token: string, method: string, route: string, body?: object | string) => {
        const headers: Record<string, string> = token ? { Authorization: token } : {};
        if (body) headers['Content-Type'] = typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json';
        const sent = typeof body === 'object' ? JSON.stringify(body) : body;
        const response = await fetch(server.base + route, { method, credentials: 'include', headers, body: sent });
        return { status: response.status, body: await response.json() };
    };

    await checks.run('cumulonimbus: both paths list a user’s sessions, newest first, in pages', async () => {
        const user = server.newUser();
        const [first, second] = await openApart(server, user, 2);
        const item = ({ body: { session } }: Opened, name: string) => ({
            iat: Math.floor(Date.parse(session.created_at) / 1000),
            exp: Math.floor(Date.parse(session.expires_at) / 1000),
            name,
            sub: user,
            id: session.id,
        });
        const items = [item(second, 'Chrome 142 on Windows'), item(first, 'Chrome 142 on Windows')];
        for (const prefix of ['/api/user', '/user']) {
            for (const token of [staff.token, first.token, `Bearer ${first.token}`]) {
                assert.deepEqual(await send(token, 'GET', `${prefix}/${user}/sessions`), { status: 200, body: { count: 2, items } });
            }
            const page = await send(staff.token, 'GET', `${prefix}/${user}/sessions?limit=1&offset=1`);
            assert.deepEqual(page.body, { count: 2, items: items.slice(1) });
            const odd = await send(staff.token, 'GET', `${prefix}/${user}/sessions?limit=51&offset=-1`);
            assert.deepEqual(odd.body, { count: 2, items });
        }
    });

    await checks.run('cumulonimbus: a session is read and deleted by its iat and by its id', async () => {
        const user = server.newUser();
        const sessions = await openApart(server, user, 2);
        for (const [number, session] of sessions.entries()) {
            const handle = number === 0 ? iat(session) : session.id;
            const read = await send(staff.token, 'GET', `/api/user/${user}/session/${handle}`);
            assert.deepEqual([read.status, read.body.id, read.body.sub], [200, session.id, user]);
            const deleted = await send(staff.token, 'DELETE', `/api/user/${user}/session/${handle}`);
            assert.deepEqual(deleted, read);
            assert.equal(await server.stands(session.token), false);
        }
    });

    await checks.run('cumulonimbus: sessions of the same second are never mixed up', async () => {
        const user = server.newUser();
        let pair: Opened[];
        do pair = [await server.open(user), await server.open(user)];
        while (iat(pair[0]) !== iat(pair[1]));
        const { status, body } = await send(staff.token, 'DELETE', `/api/user/${user}/session/${iat(pair[0])}`);
        assert.deepEqual([status, body.code], [409, 'AMBIGUOUS_SESSION_ERROR']);
        for (const { id, token } of pair) {
            assert.ok(body.sessions.includes(id));
            assert.equal(await server.stands(token), true);
        }
    });

    await checks.run('cumulonimbus: a bulk deletes what it names, all deletes all', async () => {
        const user = server.newUser();
        const [first, second, third, fourth] = await openApart(server, user, 4);
        const route = `/api/user/${user}/sessions`;
        const bulk = await send(staff.token, 'DELETE', route, { sessions: [iat(first), second.id, '1', 'nothing'] });
        assert.deepEqual(bulk, { status: 200, body: { count: 2, type: 'session' } });
        const form = await send(staff.token, 'DELETE', route, `sessions=${third.id}`);
        assert.deepEqual(form, { status: 200, body: { count: 1, type: 'session' } });
        const all = await send(fourth.token, 'DELETE', `${route}/all`);
        assert.deepEqual(all, { status: 200, body: { count: 1, type: 'session' } });
        assert.equal(await server.stands(fourth.token), false);
    });

    await checks.run('cumulonimbus: a bulk that cannot be read is 400', async () => {
        const user = (await server.open()).user;
        const missing = { status: 400, body: { code: 'MISSING_FIELDS_ERROR', message: 'Missing Fields', fields: ['sessions'] } };
        for (const body of [undefined, {}, { sessions: 'one' }, { sessions: [1] }]) {
            assert.deepEqual(await send(staff.token, 'DELETE', `/api/user/${user}/sessions`, body), missing);
        }
        const long = await send(staff.token, 'DELETE', `/api/user/${user}/sessions`, { sessions: Array(51).fill('1') });
        assert.deepEqual([long.status, long.body.code], [400, 'BODY_TOO_LARGE_ERROR']);
    });

    for (const base of ['/api', '']) {
        await ownSessions(server, checks, base);
    }

    const operations = (user: string): [string, string, object?][] => [
        ['GET', `/api/user/${user}/sessions`],
        ['GET', `/api/user/${user}/session/1234567890`],
        ['DELETE', `/api/user/${user}/session/1234567890`],
        ['DELETE', `/api/user/${user}/sessions`, { sessions: ['1234567890'] }],
        ['DELETE', `/api/user/${user}/sessions/all`],
    ];

    await checks.run('cumulonimbus: every operation is 401 without a session, 403 without the right, 404 without the user', async () => {
        const mine = await server.open();
        const other = await server.open();
        for (const token of ['', 'nonsense']) {
            for (const [method, route, body] of operations(mine.user)) {
                assert.deepEqual(await send(token, method, route, body), { status: 401, body: INVALID_SESSION });
            }
        }
        for (const [method, route, body] of operations(other.user)) {
            assert.deepEqual(await send(mine.token, method, route, body), { status: 403, body: PERMISSIONS });
        }
        for (const [method, route, body] of operations('nobody')) {
            assert.deepEqual(await send(staff.token, method, route, body), { status: 404, body: INVALID_USER });
        }
        for (const method of ['GET', 'DELETE']) {
            const route = `/api/user/${mine.user}/session/1234567890`;
            assert.deepEqual(await send(mine.token, method, route), { status: 404, body: INVALID_SESSION });
        }
    });

    await checks.run('cumulonimbus: every operation is 403 for who is banned', async () => {
        const mine = await server.open();
        assert.equal((await server.call('POST', `/v1/users/${mine.user}/ban`)).status, 200);
        for (const [method, route, body] of operations(mine.user)) {
            assert.deepEqual(await send(mine.token, method, route, body), { status: 403, body: BANNED });
        }
    });

    const examples = publishedExamples();
    if (!examples) {
        console.log('left out: the examples of Cumulonimbus’s documentation, it is not there');
        return;
    }
    for (const { title, language, text } of examples) {
        await checks.run(`cumulonimbus: ${title}, as its documentation calls it with ${language}`, async () => {
            const user = server.newUser();
            const one = title.endsWith('/session/:sid');
            const [first, second = first] = await openApart(server, user, one ? 1 : 2);
            const example = text
                .replaceAll('https://alekeagle.me', server.base)
                .replaceAll('user/1234567890', `user/${user}`)
                .replaceAll('0987654321', iat(second))
                .replaceAll('1234567890', iat(first))
                .replace(/(Authorization\W+)token/, `$1${staff.token}`);
            const answer = language === 'curl' ? await curl(example) : await javascript(example);
            if (one) assert.equal(answer.id, first.id);
            else if (title.startsWith('GET')) assert.deepEqual([answer.count, answer.items.length], [2, 2]);
            else assert.deepEqual(answer, { count: 2, type: 'session' });
            assert.equal(await server.stands(first.token), title.startsWith('GET'));
        });
    }
}

interface Wrapped {
    result: any;
    ratelimit: { limit: number } | null;
}

type Method<Parameters extends unknown[]> = (...parameters: Parameters) => Promise<Wrapped>;

/**
 * The methods for the user's own sessions of the wrapper's version 1. npm has version 5 alone, whose own methods have other
 * paths; it is what makes methods of paths here, sends the requests and reads the answers, as version 1 did.
 */
function wrapperOf(baseURL: string, token: string) {
    // Its types leave out what its own methods are made by.
    const wrapper = new Cumulonimbus(token, { baseURL }) as any;
    const deletion = (path: unknown, body?: unknown) =>
        wrapper.manufactureMethod(path, 'DELETE', body ? { 'Content-Type': 'application/json' } : {}, body ?? null);
    return {
        getSelfSessionByID: wrapper.manufactureMethodGet((sid?: string) => ['/user/session', ...(sid ? [sid] : [])].join('/')),
        getSelfSessions: wrapper.manufactureMethodGet(
            (limit?: number, offset?: number) => `/user/sessions?limit=${limit || 50}&offset=${offset || 0}`,
        ),
        deleteSelfSessionByID: deletion((sid: string) => `/user/session/${sid}`),
        bulkDeleteSelfSessionsByID: deletion('/user/sessions', (sessions: string[]) => JSON.stringify({ sessions })),
        bulkDeleteAllSelfSessions: deletion((allButSelf?: boolean) => `/user/sessions/all?allButSelf=${allButSelf ?? false}`),
    } as {
        getSelfSessionByID: Method<[sid?: string]>;
        getSelfSessions: Method<[limit?: number, offset?: number]>;
        deleteSelfSessionByID: Method<[sid: string]>;
        bulkDeleteSelfSessionsByID: Method<[sids: string[]]>;
        bulkDeleteAllSelfSessions: Method<[allButSelf?: boolean]>;
    };
}

/** The wrapper on the user's own sessions. */
async function ownSessions(server: Server, checks: Checks, base: string) {
    const of = (token: string) => wrapperOf(server.base + base, token);
    const stand = (...sessions: Opened[]) => Promise.all(sessions.map(({ token }) => server.stands(token)));
    const place = base || 'no base path';

    await checks.run(`cumulonimbus: the wrapper shows the user’s own sessions, at ${place}`, async () => {
        const user = server.newUser();
        const [first, second] = await openApart(server, user, 2);
        const wrapper = of(first.token);
        const { result: current } = await wrapper.getSelfSessionByID();
        assert.deepEqual(Object.keys(current), ['iat', 'exp', 'name', 'sub', 'id']);
        assert.deepEqual([String(current.iat), current.sub, current.id], [iat(first), user, first.id]);
        const { result: other } = await wrapper.getSelfSessionByID(iat(second));
        assert.equal(other.id, second.id);
        assert.deepEqual((await wrapper.getSelfSessionByID(second.id)).result, other);
        assert.deepEqual((await wrapper.getSelfSessions()).result, { count: 2, items: [other, current] });
        assert.deepEqual((await wrapper.getSelfSessions(1, 1)).result, { count: 2, items: [current] });
        assert.deepEqual((await wrapper.getSelfSessions(50, 2)).result, { count: 2, items: [] });
    });

    await checks.run(`cumulonimbus: the wrapper deletes the user’s own sessions, at ${place}`, async () => {
        const user = server.newUser();
        const [first, second, third, fourth] = await openApart(server, user, 4);
        const wrapper = of(first.token);
        const { result: shown } = await wrapper.getSelfSessionByID(second.id);
        assert.deepEqual((await wrapper.deleteSelfSessionByID(iat(second))).result, shown);
        const bulk = await wrapper.bulkDeleteSelfSessionsByID([iat(third), fourth.id, '1']);
        assert.deepEqual(bulk.result, { count: 2, type: 'session' });
        assert.deepEqual(await stand(first, second, third, fourth), [true, false, false, false]);
    });

    await checks.run(`cumulonimbus: the wrapper deletes all of the user’s sessions, or all but its own, at ${place}`, async () => {
        const user = server.newUser();
        for (const [allButSelf, count] of [[true, 1], [false, 2], [undefined, 2]] as const) {
            const [mine, other] = [await server.open(user), await server.open(user)];
            const { result } = await of(mine.token).bulkDeleteAllSelfSessions(allButSelf);
            assert.deepEqual(result, { count, type: 'session' });
            assert.deepEqual(await stand(mine, other), [allButSelf === true, false]);
            await server.call('DELETE', `/v1/users/${user}/sessions`);
        }
    });

    await checks.run(`cumulonimbus: the wrapper learns what is wrong by its code, at ${place}`, async () => {
        const [mine, foreign, banned] = [await server.open(), await server.open(), await server.open()];
        assert.equal((await server.call('POST', `/v1/users/${banned.user}/ban`)).status, 200);
        const calls = [
            (token: string) => of(token).getSelfSessionByID(),
            (token: string) => of(token).getSelfSessionByID(foreign.id),
            (token: string) => of(token).getSelfSessions(),
            (token: string) => of(token).deleteSelfSessionByID(foreign.id),
            (token: string) => of(token).bulkDeleteSelfSessionsByID([foreign.id]),
            (token: string) => of(token).bulkDeleteAllSelfSessions(true),
        ];
        for (const call of calls) {
            for (const token of ['nonsense', server.key]) await refused(call(token), INVALID_SESSION);
            await refused(call(banned.token), BANNED);
        }
        await refused(of(mine.token).getSelfSessionByID(foreign.id), INVALID_SESSION);
        await refused(of(mine.token).deleteSelfSessionByID(foreign.id), INVALID_SESSION);
        const many = of(mine.token).bulkDeleteSelfSessionsByID(Array(51).fill('1'));
        await refused(many, { code: 'BODY_TOO_LARGE_ERROR', message: 'Body Too Large' });
        assert.deepEqual(await stand(mine, foreign), [true, true]);
    });
}

async function refused(call: Promise<unknown>, { code, message }: { code: string; message: string }) {
    const error = await call.then(
        () => assert.fail('it should be refused'),
        (error) => error,
    );
    assert.ok(error instanceof Cumulonimbus.ResponseError, String(error));
    assert.deepEqual([error.code, error.message], [code, message]);
}

/** Opens sessions in different seconds, because the second is their handle. */
async function openApart(server: Server, user: string, number: number): Promise<Opened[]> {
    const user_agent = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
    const sessions: Opened[] = [];
    while (sessions.length < number) {
        await sleep(sessions.length === 0 ? 0 : 1000 - (Date.now() % 1000));
        const session = await server.open(user, { user_agent });
        sessions.push(session);
    }
    return sessions;
}

function iat(session: Opened): string {
    return String(Math.floor(Date.parse(session.body.session.created_at) / 1000));
}

function publishedExamples() {
    const folder = process.env.SOJOURN_SEEDS ?? '';
    const name = fs.existsSync(folder) && fs.readdirSync(folder).find((file) => file.startsWith('004_'));
    if (!name) return undefined;
    const document = fs.readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n');
    const sections = document.split(/^## /m).slice(1);
    return sections.flatMap((section) => {
        const [title] = section.split('\n', 1);
        const codes = [...section.matchAll(/^```(sh|js)\n(.*?)^```/gms)];
        assert.equal(codes.length, 2, title);
        return codes.map(([, language, text]) => ({ title, language: language === 'sh' ? 'curl' : 'fetch', text }));
    });
}

async function curl(example: string): Promise<any> {
    const { stdout } = await promisify(execFile)('sh', ['-c', example.replace('curl ', 'curl --silent --noproxy "*" ')]);
    return JSON.parse(stdout);
}

async function javascript(example: string): Promise<any> {
    const response: Response = await new Function(`return ${example}`)();
    assert.equal(response.status, 200);
    return response.json();
}
