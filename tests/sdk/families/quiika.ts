import assert from 'node:assert/strict';

import { Configuration, SessionManagementApi } from '@app/api-sdk';
import { isAxiosError } from 'axios';

import type { Checks } from '../support/checks.mjs';
import type { Server } from '../support/server.mjs';

const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

/** The SDK that typescript-axios makes. */
export async function quiika(server: Server, checks: Checks) {
    const api = (token: string) => new SessionManagementApi(new Configuration({ basePath: server.base, accessToken: token }));

    await checks.run('quiika: getUserSessions and getActiveSessions list, getSessionCount counts', async () => {
        const user = server.newUser();
        await server.open(user, { ip_address: '203.0.113.7', user_agent: PHONE, user: { email: 'alice@example.org' } });
        const mine = await server.open(user);
        await server.open();
        const { status, data } = await api(mine.token).getUserSessions();
        assert.equal(status, 200);
        const phone = data.find((session) => session.sessionId !== mine.id);
        assert.equal(data.length, 2);
        assert.deepEqual(
            [phone?.ipAddress, phone?.userAgent, phone?.email, phone?.deviceType, phone?.current],
            ['203.0.113.7', PHONE, 'alice@example.org', 'MOBILE', false],
        );
        assert.ok(phone?.loginTime && Math.abs(Date.now() - phone.loginTime) < 60_000);
        assert.ok(phone.lastAccessed && phone.lastAccessed >= phone.loginTime);
        assert.ok(typeof phone.sessionDuration === 'number' && typeof phone.inactivityDuration === 'number');
        assert.ok(data.every((session) => Object.values(session).every((value) => value !== null)));
        const active = await api(mine.token).getActiveSessions();
        assert.deepEqual(active.data.map(({ sessionId }) => sessionId).sort(), data.map(({ sessionId }) => sessionId).sort());
        const count = await api(mine.token).getSessionCount();
        assert.deepEqual([count.status, count.data], [200, { activeSessions: 2 }]);
    });

    await checks.run('quiika: revokeOtherSessions keeps the one that asks, with Bearer or without', async () => {
        for (const prefix of ['Bearer ', '']) {
            const user = server.newUser();
            const [other, mine] = [await server.open(user), await server.open(user)];
            const { status, data } = await api(mine.token).revokeOtherSessions(prefix + mine.token);
            assert.deepEqual([status, data], [200, '']);
            assert.deepEqual([await server.stands(other.token), await server.stands(mine.token)], [false, true]);
        }
    });

    await checks.run('quiika: revokeSession ends one; what is not there or not mine is 404', async () => {
        const user = server.newUser();
        const [other, mine, foreign] = [await server.open(user), await server.open(user), await server.open()];
        const { status } = await api(mine.token).revokeSession(other.id);
        assert.equal(status, 200);
        assert.equal(await server.stands(other.token), false);
        for (const id of [other.id, foreign.id, 'nothing', '01890000-0000-7000-8000-000000000000']) {
            await refused(api(mine.token).revokeSession(id), 404, {
                message: 'Session not found or does not belong to the user',
                status: '404 NOT_FOUND',
            });
        }
        assert.equal(await server.stands(foreign.token), true);
    });

    await checks.run('quiika: revokeAllSessions ends the one that asks too', async () => {
        const user = server.newUser();
        const [other, mine] = [await server.open(user), await server.open(user)];
        const { status } = await api(mine.token).revokeAllSessions();
        assert.equal(status, 200);
        assert.equal(await server.stands(other.token), false);
        await refused(api(mine.token).getUserSessions(), 401);
    });

    await checks.run('quiika: every operation is 401 without a token that stands', async () => {
        for (const token of ['', 'nonsense']) {
            const sdk = api(token);
            const calls = [
                () => sdk.getActiveSessions(),
                () => sdk.getSessionCount(),
                () => sdk.getUserSessions(),
                () => sdk.revokeAllSessions(),
                () => sdk.revokeOtherSessions(`Bearer ${token}`),
                () => sdk.revokeSession('nothing'),
            ];
            for (const call of calls) {
                const { message, status } = await refused(call(), 401);
                assert.ok(message);
                assert.equal(status, '401 UNAUTHORIZED');
            }
        }
    });
}

async function refused(call: Promise<unknown>, status: number, body?: object): Promise<{ message: string; status: string }> {
    const error = await call.then(
        () => assert.fail('it should be refused'),
        (error) => error,
    );
    assert.ok(isAxiosError(error), String(error));
    assert.equal(error.response?.status, status);
    if (body) assert.deepEqual(error.response.data, body);
    return error.response.data;
}
