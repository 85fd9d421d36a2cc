// The frame of every screen: navigation, messages, and the sign-in where it is needed.
import { again, get, signOut } from './api.js';
import { Dialog } from './parts/dialog.js';
import { Icon, Mark } from './parts/icon.js';
import { Banner, expectHeading, Page } from './parts/page.js';
import { Empty, Failure, Loading } from './parts/states.js';
import { Toasts } from './parts/toast.js';
import { html, useEffect, useState } from './preact.js';
import { go, link, place } from './router.js';
import { found, groups } from './routes.js';
import { KeyForm, SignIn } from './screens/sign_in.js';
import { me, theme, utc } from './store.js';
import { t } from './words.js';

/** @param {{ refused: any, usedLink: boolean }} props */
export function Shell({ refused, usedLink }) {
    const who = me.use();
    const { path } = place.use();
    const [menu, setMenu] = useState(false);
    useEffect(() => setMenu(false), [path]);
    useEffect(() => {
        document.addEventListener('keydown', shortcut);
        return () => document.removeEventListener('keydown', shortcut);
    }, []);
    if (!who) return html`<${SignIn} refused=${refused} usedLink=${usedLink} /><${Toasts} />`;
    const current = found(path);
    return html`<a class="skip" href="#main" onClick=${skip}>${t('nav.skip')}</a>
        <div class="shell"><header class="topbar"><button class="button bare" aria-label=${t('nav.menu')} onClick=${() => setMenu(true)}><${Icon} name="menu" /></button>
            <a class="brand" href=${link('/')}><${Brand} /></a></header>
        <header class="sidebar"><div><a class="brand" href=${link('/')}><${Brand} /></a><${Navigation} current=${current?.route} /></div></header>
        ${menu && html`<${Dialog} drawer title=${t('nav.menu')} onClose=${() => setMenu(false)}><${Navigation} current=${current?.route} /></${Dialog}>`}
        <main id="main" tabindex="-1">${who.bootstrap && html`<${Banner} kind="warn"><${Icon} name="warning" /><span>${t('nav.bootstrap')}</span>
            <a class="button small" href=${link('/keys')}>${t('nav.make_key')}</a></${Banner}>`}
            <${Screen} key=${path} path=${path} /></main></div><${AskAgain} /><${Toasts} />`;
}

/** The page would lose its place if the address got a fragment. @param {Event} event */
function skip(event) {
    event.preventDefault();
    document.getElementById('main')?.focus();
}

/** `/` goes to the field for searching. @param {KeyboardEvent} event */
function shortcut(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea, dialog')) return;
    event.preventDefault();
    const field = /** @type {HTMLElement | null} */ (document.querySelector('[data-search]'));
    field ? field.focus() : go(link('/sessions'), { state: { search: true } });
}

const Brand = () => html`<${Mark} size=${24} /><span>${t('common.product')}</span>`;

/** @param {{ current?: import('./routes.js').Route }} props */
function Navigation({ current }) {
    const who = me.use();
    const marked = current?.nav ?? current?.under;
    return html`<nav class="nav" aria-label=${t('nav.label')}>${groups.map(({ group, routes: inside }) => html`<div key=${group} class="nav-group">
        <p class="nav-title">${t(`nav.${group}`)}</p><ul>${inside.filter((route) => route.nav && (!route.admin || who?.role === 'admin')).map((route) => html`<li key=${route.path}>
            <a href=${link(route.path)} aria-current=${route.nav === marked ? 'page' : undefined}><${Icon} name=${route.nav} />${t(`nav.${route.nav}`)}</a></li>`)}</ul></div>`)}</nav>
        <${Person} />`;
}

function Person() {
    const who = me.use();
    const look = theme.use();
    const zone = utc.use();
    const next = { auto: 'light', light: 'dark', dark: 'auto' }[look] ?? 'auto';
    return html`<div class="person"><div class="row"><button class="button small" title=${t('nav.theme_hint')} onClick=${() => theme.set(next)}>
            <${Icon} name=${look === 'dark' ? 'moon' : 'sun'} />${t(`nav.theme_${look}`)}</button>
        <button class="button small" aria-pressed=${zone === 'on' ? 'true' : 'false'} title=${t('nav.utc_hint')} onClick=${() => utc.set(zone === 'on' ? 'off' : 'on')}><${Icon} name="clock" />UTC</button></div>
        <div class="person-line"><div class="person-name"><bdi title=${who?.name}>${who?.name}</bdi><span class="muted small">${t(`nav.role_${who?.role}`)}</span></div>
        <button class="button bare" aria-label=${t('nav.sign_out')} title=${t('nav.sign_out')} onClick=${signOut}><${Icon} name="out" /></button></div></div>`;
}

let first = true;

/** Loads the screen of a path. @param {{ path: string }} props */
function Screen({ path }) {
    const current = found(path);
    const { query } = place.use();
    const [state, setState] = useState(/** @type {{ view?: any, error?: any }} */ ({}));
    useState(() => (first ? (first = false) : expectHeading()));
    useEffect(() => {
        setState({});
        current?.route.screen().then((module) => setState({ view: module.default }), () => setState({ error: { status: 0, message: t('common.not_loaded') } }));
    }, []);
    // A browser never asks again for a module that it could not get: the page begins anew, once the server answers.
    const retry = () => get('/admin/me').then(() => location.reload(), (error) => setState({ error }));
    if (!current) return html`<${Page} title=${t('nav.not_found')}><${Empty} title=${t('nav.nothing_here')} text=${t('nav.nothing_here_text')}>
        <a class="button" href=${link('/')}>${t('nav.overview')}</a></${Empty}></${Page}>`;
    if (state.error) return html`<${Page} title=${t('nav.not_found')}><${Failure} error=${state.error} onRetry=${retry} /></${Page}>`;
    return state.view ? html`<${state.view} params=${current.params} query=${query} />` : html`<div class="page"><${Loading} /></div>`;
}

/** Asks for the key in place when a request needs a recent sign-in. */
function AskAgain() {
    const [asked, setAsked] = useState(/** @type {{ resolve: () => void, reject: (reason: any) => void } | null} */ (null));
    useEffect(() => {
        again.ask = () => new Promise((resolve, reject) => setAsked({ resolve: () => resolve(undefined), reject }));
    }, []);
    if (!asked) return null;
    /** @param {boolean} right */
    const answer = (right) => {
        right ? asked.resolve() : asked.reject({ status: 403, message: t('sign_in.not_repeated') });
        setAsked(null);
    };
    return html`<${Dialog} title=${t('sign_in.again')} onClose=${() => answer(false)}><p class="muted">${t('sign_in.again_text')}</p>
        <${KeyForm} action=${t('sign_in.continue')} onDone=${() => answer(true)} /></${Dialog}>`;
}
