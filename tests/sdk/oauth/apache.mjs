// Debian's Apache with mod_auth_openidc, which protects a folder.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from '../support/server.mjs';

/** The setting without which the module asks once for each token, until its `exp`. */
const UNCACHED = 'OIDCOAuthTokenIntrospectionInterval -1';

/** @param {string} root where Apache is @returns {import('./oauth.mjs').Library} */
export function apache(root) {
    return {
        name: 'mod_auth_openidc',
        ways: ['default', 'client_secret_post', UNCACHED],
        caches: (way) => way !== UNCACHED,
        async connect({ base, id, secret, way }) {
            const port = await freePort();
            const folder = fs.mkdtempSync(path.resolve('apache-'));
            fs.mkdirSync(path.join(folder, 'pages'));
            fs.writeFileSync(path.join(folder, 'pages', 'page'), 'protected');
            fs.writeFileSync(path.join(folder, 'conf'), configuration(root, folder, port, { base, id, secret, way }));
            const child = spawn(path.join(root, 'usr/sbin/apache2'), ['-f', path.join(folder, 'conf'), '-D', 'FOREGROUND'], {
                stdio: ['ignore', 'ignore', fs.openSync(path.join(folder, 'log'), 'a')],
                env: { LD_LIBRARY_PATH: librariesBelow(root) },
            });
            const page = `http://127.0.0.1:${port}/page`;
            const ended = () => child.kill('SIGTERM');
            process.once('exit', ended);
            await answers(page, child, folder);
            return {
                introspect: async (token) => {
                    const response = await fetch(page, { headers: { authorization: `Bearer ${token}` } });
                    if (response.status === 200) return { username: response.headers.get('x-user') };
                    if (response.status === 401) return undefined;
                    throw new Error(`${response.status}`);
                },
                close: () => {
                    process.removeListener('exit', ended);
                    ended();
                    fs.rmSync(folder, { recursive: true, force: true });
                },
            };
        },
    };
}

/** @param {string} root */
function librariesBelow(root) {
    const folder = path.join(root, 'usr/lib');
    return fs.readdirSync(folder).filter((name) => name.endsWith('-linux-gnu')).map((name) => path.join(folder, name)).join(':');
}

/** @param {string} page @param {import('node:child_process').ChildProcess} child @param {string} folder */
async function answers(page, child, folder) {
    for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
        if (await fetch(page).then(() => true, () => false)) return;
        await sleep(100);
    }
    throw new Error(`Apache did not start: ${fs.readFileSync(path.join(folder, 'log'), 'utf8')}`);
}

/** @param {string} root @param {string} folder @param {number} port @param {import('./oauth.mjs').Client} client */
function configuration(root, folder, port, { base, id, secret, way }) {
    const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'auth_openidc'];
    const more = { client_secret_post: 'OIDCOAuthIntrospectionEndpointAuth client_secret_post', default: '' };
    return `
        ServerRoot ${folder}
        ServerName localhost
        PidFile ${folder}/pid
        ErrorLog ${folder}/log
        Listen 127.0.0.1:${port}
        DocumentRoot ${folder}/pages
        ${modules.map((name) => `LoadModule ${name}_module ${root}/usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
        OIDCOAuthServerMetadataURL ${base}/.well-known/openid-configuration
        OIDCOAuthClientID "${id}"
        OIDCOAuthClientSecret ${secret}
        OIDCCryptoPassphrase a-test
        ${more[way] ?? way}
        <Location />
            AuthType oauth20
            Require valid-user
            Header set X-User "expr=%{REMOTE_USER}"
        </Location>
    `;
}
