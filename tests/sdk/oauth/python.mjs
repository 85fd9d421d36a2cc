// Libraries from PyPI, authlib and django-oauth-toolkit: a Python program calls them for each line that it reads.
import { spawn } from 'node:child_process';
import readline from 'node:readline';

/** @param {string} program @param {string[]} settings @returns {Promise<{ call: (operation: string, token?: string) => Promise<any>, close: () => void }>} */
async function started(program, settings) {
    const child = spawn(process.env.SOJOURN_PYTHON ?? 'python3', [`oauth/${program}`, ...settings], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const call = async (operation, token = '') => {
        child.stdin.write(`${JSON.stringify([operation, token])}\n`);
        const { value, done } = await lines.next();
        if (done) throw new Error(`${program} ended`);
        const { result, error } = JSON.parse(value);
        if (error) throw Object.assign(new Error(error), { error });
        return result ?? undefined;
    };
    return { call, close: () => child.stdin.end() };
}

/** @type {import('./oauth.mjs').Library} */
const AUTHLIB = {
    name: 'authlib',
    ways: ['default', 'client_secret_post', 'none'],
    code: (error) => error.error,
    async connect({ base, id, secret = '', way }) {
        const { call, close } = await started('authlib_client.py', [base, id, secret, way]);
        const metadata = await call('metadata');
        return {
            discovered: () => metadata,
            ...(way !== 'none' && { introspect: (token) => call('introspect', token) }),
            refresh: (token) => call('refresh', token),
            revoke: (token) => call('revoke', token),
            close,
        };
    },
};

/** @type {import('./oauth.mjs').Library} */
const DJANGO_OAUTH_TOOLKIT = {
    name: 'django-oauth-toolkit',
    ways: ['RESOURCE_SERVER_INTROSPECTION_CREDENTIALS', 'RESOURCE_SERVER_AUTH_TOKEN'],
    caches: () => true,
    async connect({ base, id, secret = '', way }) {
        const { call, close } = await started('django_client.py', [base, id, secret, way]);
        return { introspect: (token) => call('introspect', token), close };
    },
};

export const LIBRARIES = [AUTHLIB, DJANGO_OAUTH_TOOLKIT];

/** authlib's own check of RFC 9068 access tokens. @param {string} audience */
export function verifier(audience) {
    return {
        name: 'authlib',
        algorithms: ['ES256', 'RS256'],
        subject: async (base, token) => {
            const { call, close } = await started('authlib_client.py', [base, 'any', '', 'none', audience]);
            try {
                return await call('verify', token);
            } finally {
                close();
            }
        },
    };
}
