import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import pg from 'pg';

/** A server on a free port of the loopback interface, with the bootstrap key. */
export class Server {
    key = randomBytes(24).toString('hex');
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sojourn-console-'));
    base = '';

    /** @param {Record<string, string>} settings of the server, in its environment */
    async start(settings = {}) {
        const address = `127.0.0.1:${await freePort()}`;
        this.base = `http://${address}`;
        this.settings = {
            PATH: process.env.PATH,
            SOJOURN_LISTEN: address,
            SOJOURN_ISSUER: this.base,
            SOJOURN_BOOTSTRAP_KEY: this.key,
            SOJOURN_SECRET: randomBytes(32).toString('base64'),
            SOJOURN_LOG: 'warn',
            ...settings,
        };
        // The server must also stop when this program is interrupted or fails.
        process.once('exit', () => this.end());
        await this.resume();
        return this;
    }

    /** Starts the program on what is in its folder or its database, at the address that it had. */
    async resume() {
        const log = fs.openSync(path.join(this.folder, 'log'), 'a');
        const options = { cwd: this.folder, env: this.settings, stdio: ['ignore', 'pipe', log] };
        const running = spawn(process.env.SOJOURN_BINARY, ['serve'], options);
        this.process = running;
        this.said = '';
        await new Promise((resolve, reject) => {
            const failed = () => reject(new Error(`the server did not start: ${fs.readFileSync(path.join(this.folder, 'log'), 'utf8')}`));
            running.once('exit', failed);
            running.stdout.on('data', (text) => {
                this.said += text;
                if (!this.said.includes('listens on')) return;
                running.off('exit', failed);
                resolve();
            });
        });
    }

    async stop() {
        const running = this.process;
        if (running?.exitCode !== null) return;
        running.kill('SIGTERM');
        const late = sleep(10_000, undefined, { ref: false });
        await Promise.race([new Promise((resolve) => running.once('exit', resolve)), late]);
        running.kill('SIGKILL');
    }

    end() {
        this.process?.kill('SIGKILL');
        fs.rmSync(this.folder, { recursive: true, force: true });
    }

    /**
     * A call of the API with the bootstrap key, or with another credential: what it answers, or an error if it refuses. A database that
     * is busy on a loaded machine is asked again.
     */
    async call(method, at, body, key = this.key, tries = 20) {
        const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) };
        const response = await fetch(this.base + at, { method, headers, body: body && JSON.stringify(body) });
        const text = await response.text();
        if (response.status === 503 && tries) {
            await sleep(250);
            return this.call(method, at, body, key, tries - 1);
        }
        if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
        return text && JSON.parse(text);
    }

    /** Opens a session, as a login service does: the session with its token. */
    async open(user_id, more = {}, key = this.key) {
        const opened = await this.call('POST', '/v1/sessions', { user_id, tokens: 'session', ...more }, key);
        return { ...opened.session, token: opened.session_token };
    }

    makeKey(name, scope, more = {}) {
        return this.call('POST', '/v1/keys', { name, scope, ...more });
    }

    /** A one-time link that signs in to the console, as the command line prints it. */
    async consoleLink() {
        const options = { cwd: this.folder, env: this.settings };
        const { stdout } = await promisify(execFile)(process.env.SOJOURN_BINARY, ['console', 'link'], options);
        return stdout.trim();
    }

    session(id) {
        return this.call('GET', `/v1/sessions/${id}`);
    }

    /** The status of a request with these very headers, of which `fetch` would add some. */
    raw(method, at, headers = {}, body = '') {
        return new Promise((resolve, reject) => {
            const request = http.request(this.base + at, { method, headers }, (response) => {
                let text = '';
                response.on('data', (data) => (text += data));
                response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
            });
            request.on('error', reject);
            request.end(body);
        });
    }
}

/** A port that nothing listens on. */
export async function freePort() {
    const listener = net.createServer();
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address();
    await new Promise((resolve) => listener.close(resolve));
    return port;
}

/** A new database on the server of `url`: its URL, and what drops it. */
export async function freshDatabase(url) {
    const name = `sojourn_console_${randomBytes(8).toString('hex')}`;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
    const its = new URL(url);
    its.pathname = `/${name}`;
    const drop = async () => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        await client.end();
    };
    return { url: its.href, drop };
}
