import { chromium } from 'playwright-core';

import { seed } from './seed.mjs';
import { Server } from './server.mjs';

// However slow the machine is, this is long enough; nothing waits for it unless something is wrong.
const PATIENCE = 30_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
FLAGS.push('--disable-component-update', '--disable-sync');

export const startBrowser = () =>
    chromium.launch({ executablePath: process.env.SOJOURN_CHROMIUM, headless: true, args: FLAGS });

/** A seeded server, and browsers that look at it. What goes wrong in any of their pages is kept in `troubles`. */
export class World {
    /** @type {string[]} */
    troubles = [];
    /** Assets by their address: they are immutable, and each test would fetch all of them anew. */
    assets = new Map();

    constructor(browser) {
        this.browser = browser;
    }

    async start(settings) {
        this.server = await new Server().start(settings);
        this.data = await seed(this.server);
        this.states = { admin: await this.signIn(this.data.admin.secret), viewer: await this.signIn(this.data.viewer.secret) };
        return this;
    }

    get base() {
        return this.server.base;
    }

    /** The cookies of a new console session, for contexts to start with. */
    async signIn(key) {
        const context = await this.browser.newContext();
        const headers = { 'sec-fetch-site': 'same-origin', origin: this.base };
        const response = await context.request.post(`${this.base}/admin/sign-in`, { data: { key }, headers });
        if (response.status() !== 204) throw new Error(`sign-in: ${response.status()} ${await response.text()}`);
        const state = await context.storageState();
        await context.close();
        return state;
    }

    /**
     * A page in a browser of its own.
     * @param {string | null} who `admin`, `viewer` or nobody
     * @param {object} options of the context; `awaited` are patterns of console messages that the test causes, and with
     *   `fresh` the assets come from the server
     */
    async page(who, at, { awaited = [], fresh = false, ...options } = {}) {
        const context = await this.browser.newContext({
            viewport: { width: 1280, height: 800 },
            locale: 'en-GB',
            timezoneId: 'Europe/Berlin',
            ...(who && { storageState: this.states[who] }),
            ...options,
        });
        context.setDefaultTimeout(PATIENCE);
        await this.guard(context, awaited);
        if (!fresh) await context.route(`${this.base}/admin/assets/**`, (route) => this.asset(route));
        const page = await context.newPage();
        if (at !== undefined) await page.goto(this.base + at);
        return page;
    }

    /** Answers a request for an asset as the server did before. */
    async asset(route) {
        const url = route.request().url();
        if (!this.assets.has(url)) {
            const keep = async (response) => {
                const { 'content-encoding': _, 'content-length': __, ...headers } = response.headers();
                return { status: response.status(), headers, body: await response.body() };
            };
            this.assets.set(url, route.fetch().then(keep));
        }
        try {
            await route.fulfill(await this.assets.get(url));
        } catch {
            // The server is gone, or the page is.
            this.assets.delete(url);
            await route.abort('connectionrefused').catch(() => {});
        }
    }

    /** Keeps every console message, report and request to another origin that no page should cause. */
    async guard(context, awaited) {
        const trouble = (what, page) => {
            if (!awaited.some((pattern) => pattern.test(what))) this.troubles.push(`${page.url()}: ${what}`);
        };
        await context.exposeBinding('cspReport', ({ page }, what) => trouble(`securitypolicyviolation: ${what}`, page));
        await context.addInitScript(() => {
            document.addEventListener('securitypolicyviolation', (event) =>
                globalThis.cspReport(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
            );
        });
        context.on('page', (page) => {
            page.on('console', (message) => {
                const text = `${message.text()} ${message.location().url}`;
                if (['error', 'warning'].includes(message.type())) trouble(`console: ${text}`, page);
            });
            page.on('pageerror', (error) => trouble(`error: ${error.stack}`, page));
            page.on('dialog', (dialog) => {
                trouble(`dialog: ${dialog.message()}`, page);
                dialog.dismiss();
            });
            page.on('request', (request) => {
                const local = [`${this.base}/`, 'data:', 'blob:'].some((start) => request.url().startsWith(start));
                if (!local) trouble(`request: ${request.url()}`, page);
            });
        });
    }

    async stop() {
        await this.server?.stop();
        this.server?.end();
    }
}
