// Endings of all users as they come.
import { Announcement, Endings, KEPT, StreamMark, useEndings } from '../parts/endings.js';
import { Chips } from '../parts/chips.js';
import { Icon } from '../parts/icon.js';
import { Page } from '../parts/page.js';
import { conditionValues, REASONS } from '../parts/session_conditions.js';
import { Empty, Failure } from '../parts/states.js';
import { html, useState } from '../preact.js';
import { go, link } from '../router.js';
import { named, t } from '../words.js';

/** Not all that are kept are drawn while they run: nobody reads them, and drawing them costs the browser its breath. */
const DRAWN = 100;

/** @returns {import('../parts/chips.js').Condition[]} */
const conditions = () => [
    { name: 'user_id', label: t('sessions.user'), kind: 'text' },
    { name: 'reason', label: t('sessions.reason'), kind: 'choice', choices: REASONS.map((each) => [each, named('reason', each)]) },
];

/** @param {{ query: URLSearchParams }} props */
export default function Live({ query }) {
    const values = conditionValues(conditions(), query);
    const [paused, setPaused] = useState(false);
    const { shown, state, waiting, total } = useEndings({ user: values.user_id, paused });
    const wanted = values.reason ? shown.filter(({ reason, kind }) => reason === values.reason || kind === 'missed') : shown;
    const drawn = paused ? wanted : wanted.slice(0, DRAWN);
    const actions = html`<${StreamMark} state=${state} paused=${paused} /><button class="button small" aria-pressed=${paused ? 'true' : 'false'} onClick=${() => setPaused(!paused)}>
        <${Icon} name=${paused ? 'play' : 'pause'} />${paused ? t('live.resume', { n: waiting }) : t('live.pause')}</button>`;
    return html`<${Page} title=${t('live.title')} lead=${t('live.lead', { kept: KEPT })} actions=${actions}>
        <${Chips} conditions=${conditions()} values=${values} onChange=${(/** @type {any} */ next) => go(link('/live', next))} />
        ${state.error && state.is === 'waiting' && html`<${Failure} error=${state.error} />`}<${Announcement} total=${total} />
        <section class="card flush">${wanted.length ? html`<div class="endings-head"><span>${t('live.time')}</span><span>${t('sessions.reason')}</span><span>${t('sessions.user')}</span><span>${t('sessions.session')}</span></div>
            <${Endings} endings=${drawn} label=${t('live.title')} /><p class="pager muted"><span>${t('live.count', { n: total })}</span>
            ${drawn.length < wanted.length && html`<span>${t('live.drawn', { drawn: drawn.length, kept: wanted.length })}</span>`}</p>`
        : html`<${Empty} icon="live" title=${t('live.empty')} text=${t('live.empty_text')} />`}</section></${Page}>`;
}
