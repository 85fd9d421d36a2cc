import assert from 'node:assert/strict';

import { Configuration, ResponseError, SessionsApi } from '@vault/sdk';

import type { Checks } from '../support/checks.mjs';
import type { Server } from '../support/server.mjs';

const DESKTOP = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

/** The SDK that typescript-fetch makes. */
export async function vault(server: Server, checks: Checks) {
    const api = (token: string) => new SessionsApi(new Configuration({ basePath: `${server.base}/api/v1`, accessToken: token }));

    await checks.run('vault: listSessions shows sessions as models', async () => {
        const user = server.newUser();
        const first = await server.open(user, { ip_address: '203.0.113.7', user_agent: DESKTOP, amr: ['pwd', 'otp'] });
        const mine = await server.open(user);
        await server.open();
        const sessions = await api(mine.token).listSessions();
        assert.deepEqual(sessions.map(({ id, current }) => [id, current]), [[mine.id, true], [first.id, false]]);
        const [plain, known] = sessions;
        assert.deepEqual(known.deviceInfo, { deviceType: 'desktop', os: 'macOS', browser: 'Chrome', isMobile: false });
        assert.deepEqual([known.ipAddress, known.userAgent, known.mfaVerified], ['203.0.113.7', DESKTOP, true]);
        // Some versions of typescript-fetch turn null into undefined.
        assert.deepEqual([plain.ipAddress ?? null, plain.deviceInfo ?? null, plain.mfaVerified], [null, null, false]);
        for (const { createdAt, lastActivityAt, expiresAt } of sessions) {
            for (const time of [createdAt, lastActivityAt, expiresAt]) assert.ok(!Number.isNaN(time.getTime()));
            assert.ok(createdAt <= lastActivityAt && lastActivityAt < expiresAt);
        }
    });

    await checks.run('vault: revokeSession ends one; what is not there or not mine is 404', async () => {
        const user = server.newUser();
        const [other, mine, foreign] = [await server.open(user), await server.open(user), await server.open()];
        assert.deepEqual(await api(mine.token).revokeSession({ sessionId: other.id }), { message: 'Session revoked' });
        assert.equal(await server.stands(other.token), false);
        for (const sessionId of [other.id, foreign.id, 'nothing', '01890000-0000-7000-8000-000000000000']) {
            await refused(api(mine.token).revokeSession({ sessionId }), 404, 'NOT_FOUND', 'Resource not found');
        }
        assert.equal(await server.stands(foreign.token), true);
    });

    await checks.run('vault: logoutAllSessions ends the one that asks too', async () => {
        const user = server.newUser();
        const [other, mine] = [await server.open(user), await server.open(user)];
        assert.deepEqual(await api(mine.token).logoutAllSessions(), { message: 'Revoked 2 sessions' });
        assert.equal(await server.stands(other.token), false);
        await refused(api(mine.token).listSessions(), 401, 'UNAUTHORIZED', 'Authentication required');
    });

    await checks.run('vault: every operation is 401 without a token that stands', async () => {
        for (const token of ['', 'nonsense']) {
            const sdk = api(token);
            const calls = [() => sdk.listSessions(), () => sdk.logoutAllSessions(), () => sdk.revokeSession({ sessionId: 'nothing' })];
            for (const call of calls) await refused(call(), 401, 'UNAUTHORIZED', 'Authentication required');
        }
    });
}

async function refused(call: Promise<unknown>, status: number, code: string, message: string) {
    const error = await call.then(
        () => assert.fail('it should be refused'),
        (error) => error,
    );
    assert.ok(error instanceof ResponseError, String(error));
    assert.equal(error.response.status, status);
    assert.deepEqual(await error.response.json(), { error: { code, message } });
}
