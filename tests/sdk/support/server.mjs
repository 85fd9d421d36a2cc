import { randomBytes } from 'node:crypto';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import pg from 'pg';

/** An opened session. @typedef {{ id: string, token: string, user: string, body: any }} Opened */

/** A server on a free port, with the bootstrap key. */
export class Server {
    key = randomBytes(24).toString('hex');
    base = '';
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sojourn-sdk-'));
    /** @type {import('node:child_process').ChildProcess | undefined} */
    process;
    users = 0;
    /** @type {Record<string, string>} */
    settings = {};

    /**
     * @param {string} [databaseUrl] without it, SQLite in a new folder
     * @param {Record<string, string>} [settings]
     */
    async start(databaseUrl, settings = {}) {
        this.settings = {
            SOJOURN_LISTEN: '127.0.0.1:0',
            SOJOURN_BOOTSTRAP_KEY: this.key,
            SOJOURN_SECRET: randomBytes(32).toString('base64'),
            ...(databaseUrl && { DATABASE_URL: databaseUrl }),
            ...settings,
        };
        const log = fs.openSync(path.join(this.folder, 'log'), 'a');
        this.process = spawn(process.env.SOJOURN_BINARY ?? 'sojourn', ['serve'], {
            cwd: this.folder,
            stdio: ['ignore', 'pipe', log],
            env: this.settings,
        });
        // The server must also stop when this program is interrupted or fails.
        process.once('exit', () => this.end());
        let said = '';
        this.process.stdout?.on('data', (text) => (said += text));
        for (let tries = 0; tries < 200 && this.process.exitCode === null; tries += 1) {
            const [, base] = said.match(/listens on (\S+)/) ?? [];
            if (base) {
                this.base = base;
                return this;
            }
            await sleep(100);
        }
        const told = fs.readFileSync(path.join(this.folder, 'log'), 'utf8');
        throw new Error(`the server did not start: ${told}`);
    }

    /**
     * Starts a server whose issuer is its own address, as clients want it that find out the rest by themselves.
     * @param {string} [databaseUrl] @param {Record<string, string>} [settings]
     */
    async startAsIssuer(databaseUrl, settings = {}) {
        const address = `127.0.0.1:${await freePort()}`;
        return this.start(databaseUrl, { SOJOURN_LISTEN: address, SOJOURN_ISSUER: `http://${address}`, ...settings });
    }

    /** A new service key, made by the command line. @param {string} scope */
    async makeKey(scope) {
        const command = ['key', 'create', '--name', 'sdk', '--scope', scope];
        const options = { cwd: this.folder, env: this.settings };
        const { stdout } = await promisify(execFile)(process.env.SOJOURN_BINARY ?? 'sojourn', command, options);
        return stdout.trim();
    }

    async stop() {
        const running = this.process;
        if (running && running.exitCode === null) {
            running.kill('SIGTERM');
            const late = sleep(15_000, undefined, { ref: false });
            await Promise.race([new Promise((resolve) => running.once('exit', resolve)), late]);
        }
        this.end();
    }

    end() {
        this.process?.kill('SIGKILL');
        fs.rmSync(this.folder, { recursive: true, force: true });
    }

    /** A new user id. */
    newUser() {
        this.users += 1;
        return `user-${process.pid}-${this.users}`;
    }

    /**
     * Opens a session, as a login service does.
     * @param {object} [wishes] more of the body
     * @returns {Promise<Opened>}
     */
    async open(user = this.newUser(), wishes = {}) {
        const response = await this.call('POST', '/v1/sessions', { user_id: user, ...wishes });
        if (response.status !== 201) throw new Error(`no session: ${response.status} ${await response.text()}`);
        const body = await response.json();
        return { id: body.session.id, token: body.session_token ?? body.access_token, user, body };
    }

    /** A native request with the bootstrap key. @param {string} method @param {string} path @param {object} [body] */
    call(method, path, body) {
        return fetch(this.base + path, {
            method,
            headers: { authorization: `Bearer ${this.key}`, ...(body && { 'content-type': 'application/json' }) },
            body: body && JSON.stringify(body),
        });
    }

    /** Whether a token is valid. @param {string} token */
    async stands(token) {
        const response = await fetch(`${this.base}/v1/verify`, { headers: { authorization: `Bearer ${token}` } });
        return response.status === 200;
    }
}

/** A port that nothing listens on. @returns {Promise<number>} */
export async function freePort() {
    const listener = net.createServer();
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {net.AddressInfo} */ (listener.address());
    await new Promise((resolve) => listener.close(resolve));
    return port;
}

/**
 * Runs a body with the URL of a new database on the server of `url`, and drops it afterwards.
 * @param {string} url @param {(url: string) => Promise<void>} body
 */
export async function withFreshDatabase(url, body) {
    const name = `sojourn_sdk_${randomBytes(8).toString('hex')}`;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
        await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
        const its = new URL(url);
        its.pathname = `/${name}`;
        await body(its.href);
    } finally {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        await client.end();
    }
}
