import assert from 'node:assert/strict';
import fs from 'node:fs';

import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';

import type { Checks } from '../support/checks.mjs';
import type { Server } from '../support/server.mjs';


/**
 * The family's SDK cannot be generated here. This client is as strict as it would be: success is exactly 200, every answer
 * has exactly the members of its model, and nothing is null.
 */
export async function blackbox(server: Server, checks: Checks) {
    const document = parse(fs.readFileSync('openapi/blackbox.yaml', 'utf8'));
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    // The package exports a function, although its types say otherwise.
    (formats as unknown as (ajv: Ajv2020) => void)(ajv);
    ajv.addFormat('int32', { type: 'number', validate: (number: number) => number === (number | 0) });
    ajv.addFormat('int64', { type: 'number', validate: Number.isSafeInteger });
    ajv.addSchema(closed(document), 'document');

    /** Sends the same request as the SDK, including its empty cookie. */
    const send = async (token: string, operation: string, id = '', body?: object) => {
        const [route, method] = find(operation);
        const response = await fetch(server.base + route.replace('{session_id}', encodeURIComponent(id)), {
            method: method.toUpperCase(),
            headers: {
                accept: 'application/json',
                authorization: `Bearer ${token}`,
                cookie: '',
                ...(body && { 'content-type': 'application/json' }),
            },
            body: body && JSON.stringify(body),
        });
        const answer = await response.json();
        const pointer = ['paths', route, method, 'responses', String(response.status), 'content', 'application/json', 'schema'];
        const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
        const validate = ajv.getSchema(`document#/${escaped.join('/')}`);
        assert.ok(validate, `${operation} has no documented ${response.status}: ${JSON.stringify(answer)}`);
        assert.ok(validate(answer), `${operation}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(answer)}`);
        assert.ok(!JSON.stringify(answer).includes('null'), JSON.stringify(answer));
        return { status: response.status, answer };
    };
    const find = (id: string): [string, string] => {
        for (const [route, methods] of Object.entries<any>(document.paths)) {
            for (const [method, operation] of Object.entries<any>(methods)) {
                if (operation.operationId === id) return [route, method];
            }
        }
        throw new Error(`no operation ${id}`);
    };
    const succeed = async (...request: Parameters<typeof send>) => {
        const { status, answer } = await send(...request);
        assert.equal(status, 200, JSON.stringify(answer));
        assert.equal(answer.success, true);
        return answer.data;
    };
    const fail = async (expected: number, ...request: Parameters<typeof send>) => {
        const { status, answer } = await send(...request);
        assert.equal(status, expected, JSON.stringify(answer));
        assert.equal(answer.success, false);
        assert.ok(answer.message);
    };

    await checks.run('blackbox: list_sessions, get_session and get_session_stats agree', async () => {
        const user = server.newUser();
        const first = await server.open(user, { ip_address: '203.0.113.7', user_agent: 'okhttp/4.12.0' });
        const mine = await server.open(user);
        await server.open();
        const { sessions, total } = await succeed(mine.token, 'list_sessions');
        assert.deepEqual([total, sessions.map(({ id }: any) => id)], [2, [mine.id, first.id]]);
        assert.deepEqual([sessions[0].is_current, sessions[0].user_agent, sessions[0].ip_address], [true, '', '']);
        assert.deepEqual([sessions[1].is_current, sessions[1].ip_address, sessions[1].user_id], [false, '203.0.113.7', user]);
        assert.equal(await server.stands(sessions[0].token), false);
        assert.deepEqual(await succeed(mine.token, 'get_session', first.id), sessions[1]);
        const stats = { total_sessions: 2, active_sessions: 2, expired_sessions: 0 };
        assert.deepEqual(await succeed(mine.token, 'get_session_stats'), stats);
    });

    await checks.run('blackbox: cleanup_expired_sessions says how many it removed, and leaves what stands', async () => {
        const user = server.newUser();
        const mine = await server.open(user);
        const other = await server.open(user);
        assert.deepEqual(await succeed(mine.token, 'cleanup_expired_sessions'), { deleted: 0 });
        assert.equal(await server.stands(other.token), true);
    });

    await checks.run('blackbox: extend_session moves the end, within reason', async () => {
        const mine = await server.open(undefined, { expires_in: 3600 });
        const extended = await succeed(mine.token, 'extend_session', mine.id, { extension_hours: 2 });
        const moved = Date.parse(extended.expires_at) - Date.parse(mine.body.session.expires_at);
        assert.equal(moved, 2 * 3_600_000);
        // The last value is the documentation's example.
        for (const extension_hours of [0, -1, 721, 861_018]) {
            await fail(400, mine.token, 'extend_session', mine.id, { extension_hours });
        }
        await fail(400, mine.token, 'extend_session', mine.id, {});
    });

    await checks.run('blackbox: revoke_session ends one', async () => {
        const user = server.newUser();
        const [other, mine] = [await server.open(user), await server.open(user)];
        await succeed(mine.token, 'revoke_session', other.id);
        assert.equal(await server.stands(other.token), false);
    });

    await checks.run('blackbox: revoke_all_sessions keeps the one that asks, or not', async () => {
        const user = server.newUser();
        const [other, mine] = [await server.open(user), await server.open(user)];
        await succeed(mine.token, 'revoke_all_sessions', '', { keep_current: true });
        assert.deepEqual([await server.stands(other.token), await server.stands(mine.token)], [false, true]);
        await fail(400, mine.token, 'revoke_all_sessions', '', {});
        await succeed(mine.token, 'revoke_all_sessions', '', { keep_current: false });
        assert.equal(await server.stands(mine.token), false);
    });

    await checks.run('blackbox: what is not there, over or not mine is 404', async () => {
        const user = server.newUser();
        const [ended, mine, foreign] = [await server.open(user), await server.open(user), await server.open()];
        await succeed(mine.token, 'revoke_session', ended.id);
        for (const id of [ended.id, foreign.id, 'nothing', '01890000-0000-7000-8000-000000000000']) {
            await fail(404, mine.token, 'get_session', id);
            await fail(404, mine.token, 'revoke_session', id);
            await fail(404, mine.token, 'extend_session', id, { extension_hours: 1 });
        }
        assert.equal(await server.stands(foreign.token), true);
    });

    await checks.run('blackbox: every operation is 401 without a token that stands', async () => {
        for (const token of ['', 'nonsense']) {
            await fail(401, token, 'list_sessions');
            await fail(401, token, 'cleanup_expired_sessions');
            await fail(401, token, 'revoke_all_sessions', '', { keep_current: true });
            await fail(401, token, 'get_session_stats');
            await fail(401, token, 'get_session', 'nothing');
            await fail(401, token, 'revoke_session', 'nothing');
            await fail(401, token, 'extend_session', 'nothing', { extension_hours: 1 });
        }
    });
}

/** The document with additional members forbidden. */
function closed(value: any): any {
    if (Array.isArray(value)) return value.map(closed);
    if (value === null || typeof value !== 'object') return value;
    const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
    return value.type === 'object' && value.properties ? { ...members, additionalProperties: false } : members;
}
