// Requests to the server, and what it answers when it refuses.
import { base, search } from './router.js';
import { leaving, me } from './store.js';
import { t } from './words.js';

/** @typedef {{ role: 'viewer' | 'admin', name: string, signed_in_at: string, expires_at: string, bootstrap: boolean }} Me */

/** A refusal, or no answer at all (status 0). Its message is a sentence for people. */
export class Problem extends Error {
    /**
     * @param {number} status
     * @param {{ code?: string, detail?: string, errors?: { field: string, message: string }[] }} body
     * @param {string | null} requestId
     */
    constructor(status, body, requestId) {
        super(body.detail || t(status ? 'common.refused' : 'common.unreachable', { status }));
        this.status = status;
        this.code = body.code ?? '';
        this.errors = body.errors ?? [];
        this.requestId = requestId;
    }
}

let skew = 0;

/** The server's time in milliseconds, as far as its answers told: a wrong clock here must not make sessions look expired. */
export const now = () => Date.now() + skew;

/** @param {Response} response */
function readClock(response) {
    const told = Date.parse(response.headers.get('date') ?? '');
    if (!told) return;
    const off = told + 500 - Date.now();
    skew = Math.abs(off) > 2000 ? off : 0;
}

/** Asks for the key once more and resolves when it was right; the shell sets it. */
export const again = { ask: /** @type {() => Promise<void>} */ (() => Promise.reject(new Error('not set'))) };

/**
 * The URL of a path of the API (`/v1/…`) or of the console itself (`/admin/…`), below whatever prefix a proxy has.
 * @param {string} path
 * @param {Record<string, any> | URLSearchParams} [query]
 */
export function address(path, query) {
    const text = search(query).toString();
    return base.replace(/\/admin$/, '') + path + (text && `?${text}`);
}

/**
 * Sends a request, and gives the response when it is a success.
 * @param {string} method
 * @param {string} path `/v1/…` or `/admin/…`
 * @param {{ query?: Record<string, any> | URLSearchParams, body?: any, signal?: AbortSignal, headers?: Record<string, string> }} [options]
 * @returns {Promise<Response>}
 */
export async function send(method, path, { query, body, signal, headers } = {}) {
    // The mark tells whose request it is where an application's cookie comes along.
    const told = { 'x-sojourn-console': '1', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
    let response;
    try {
        response = await fetch(address(path, query), {
            method, signal, headers: told, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin', cache: 'no-store',
        });
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new Problem(0, {}, null);
    }
    readClock(response);
    if (response.ok) return response;
    const problem = new Problem(response.status, await response.json().catch(() => ({})), response.headers.get('x-request-id'));
    if (problem.status === 401 && path !== '/admin/sign-in') {
        if (me.get()) leaving.set('over');
        me.set(null);
    }
    if (problem.code === 'insufficient_user_authentication') {
        await again.ask();
        return send(method, path, { query, body, signal, headers });
    }
    throw problem;
}

/**
 * The JSON of an answer, or null of an empty one.
 * @param {string} method
 * @param {string} path
 * @param {Parameters<typeof send>[2]} [options]
 * @returns {Promise<any>}
 */
export async function ask(method, path, options) {
    const response = await send(method, path, options);
    if (response.status === 204) return null;
    try {
        return await response.json();
    } catch {
        if (options?.signal?.aborted) throw new DOMException('', 'AbortError');
        throw new Problem(0, {}, response.headers.get('x-request-id'));
    }
}

/**
 * @param {string} path
 * @param {Record<string, any> | URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 */
export const get = (path, query, signal) => ask('GET', path, { query, signal });
/** @param {string} path @param {any} [body] */
export const post = (path, body) => ask('POST', path, { body });
/** @param {string} path @param {any} body */
export const patch = (path, body) => ask('PATCH', path, { body });
/** @param {string} path @param {Record<string, any>} [query] */
export const remove = (path, query) => ask('DELETE', path, { query });

/** @param {{ key: string } | { link: string }} credential */
export async function signIn(credential) {
    await post('/admin/sign-in', credential);
    const who = await get('/admin/me');
    leaving.set('');
    me.set(who);
}

export async function signOut() {
    leaving.set('left');
    await post('/admin/sign-out').catch(() => null);
    me.set(null);
}
