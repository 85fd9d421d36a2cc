// One session: what it is, how long it lasts, and what happened in it. It follows its own end live.
import { get, remove } from '../api.js';
import { Copy } from '../parts/copy.js';
import { Confirm } from '../parts/dialog.js';
import { Icon } from '../parts/icon.js';
import { Banner, Card, Page } from '../parts/page.js';
import { Extend, Rename } from '../parts/session_changes.js';
import { Circumstances, Clocks, Rights, Stored } from '../parts/session_facts.js';
import { deviceName, State, UserLink } from '../parts/session_words.js';
import { Empty, Loaded, useLoad } from '../parts/states.js';
import { Others, Timeline } from '../parts/timeline.js';
import { toast } from '../parts/toast.js';
import { html, useEffect, useRef, useState } from '../preact.js';
import { link } from '../router.js';
import { isAdmin } from '../store.js';
import { listen } from '../stream.js';
import { Time } from '../time.js';
import { named, t } from '../words.js';

/** @param {{ params: Record<string, string> }} props */
export default function SessionScreen({ params }) {
    const path = `/v1/sessions/${encodeURIComponent(params.id)}`;
    const session = useLoad((signal) => get(path, {}, signal), [path]);
    const timeline = useLoad((signal) => get(`${path}/timeline`, {}, signal), [path]);
    const [ended, setEnded] = useState(/** @type {string | null} */ (null));
    const active = /** @type {any} */ (session.data)?.state === 'active';
    const own = useRef(false);
    const reload = () => (session.reload(), timeline.reload());
    useEffect(() => {
        // A session that is over already has nothing to tell.
        if (!active) return;
        return listen(`${path}/watch`, {
            onEvent: ({ event, data }) => {
                if (event === 'session') session.change(data);
                if (event !== 'ended') return;
                if (!own.current) setEnded(data?.reason ?? '');
                reload();
            },
        });
    }, [path, active]);
    if (/** @type {any} */ (session.error)?.status === 404) return html`<${Gone} id=${params.id} />`;
    return html`<${Loaded} of=${session} rows=${12}>${(/** @type {any} */ data) => html`<${View} session=${data} timeline=${timeline} news=${ended} own=${own} reload=${reload} />`}</${Loaded}>`;
}

const crumbs = () => html`<a href=${link('/sessions')}>${t('sessions.title')}</a>`;

/** @param {{ id: string }} props */
const Gone = ({ id }) => html`<${Page} title=${t('session.gone')} crumbs=${crumbs()}><section class="card"><${Empty} icon="sessions" title=${t('session.gone_title')} text=${t('session.gone_text')}>
    <a class="button" href=${link('/sessions')}>${t('session.all')}</a></${Empty}></section><p class="faint small mono">${id}</p></${Page}>`;

/** @param {{ session: any, timeline: ReturnType<typeof useLoad>, news: string | null, own: { current: boolean }, reload: () => void }} props */
function View({ session, timeline, news, own, reload }) {
    const [doing, setDoing] = useState('');
    const active = session.state === 'active';
    const close = () => setDoing('');
    const changed = (/** @type {string} */ said) => {
        close();
        toast(said);
        reload();
    };
    const end = async () => {
        own.current = true;
        await remove(`/v1/sessions/${encodeURIComponent(session.id)}`);
        changed(t('session.end_done'));
    };
    const actions = html`<${Copy} wide text=${session.id} label=${t('common.copy_id')} />${isAdmin() && html`
        <button class="button" onClick=${() => setDoing('rename')}><${Icon} name="edit" />${t('session.rename')}</button>
        ${active && html`<button class="button" onClick=${() => setDoing('extend')}><${Icon} name="clock" />${t('session.extend')}</button>
        <button class="button danger quiet" onClick=${() => setDoing('end')}>${t('session.end')}</button>`}`}`;
    const lead = html`<span class="row wrap"><${State} session=${session} />${session.current && html`<span class="tag">${t('sessions.current')}</span>`}
        <span>${t('session.of')} <${UserLink} id=${session.user_id} /></span><span>${t('session.opened')} <${Time} at=${session.created_at} relative /></span></span>`;
    return html`<${Page} title=${deviceName(session)} lead=${lead} actions=${actions} crumbs=${crumbs()}>
        ${news !== null && html`<${Banner} kind="warn"><${Icon} name="info" /><span>${t('session.just_ended', { reason: named('reason', news) })}</span></${Banner}>`}
        <${Card} title=${t('session.lifetime')}><${Clocks} session=${session} /></${Card}>
        <div class="two-thirds"><div class="stack"><${Circumstances} session=${session} /><${Rights} session=${session} /><${Stored} session=${session} /></div>
        <div class="stack"><${Timeline} of=${timeline} session=${session} /><${Others} session=${session} /></div></div>
        ${doing === 'end' && html`<${Confirm} title=${t('session.end_title')} action=${t('session.end')} onConfirm=${end} onClose=${close}>
            <p>${t(session.current ? 'session.end_own' : 'session.end_text', { device: deviceName(session), user: session.user_id })}</p></${Confirm}>`}
        ${doing === 'extend' && html`<${Extend} session=${session} onDone=${changed} onClose=${close} />`}
        ${doing === 'rename' && html`<${Rename} session=${session} onDone=${changed} onClose=${close} />`}</${Page}>`;
}
