// Endings as they come. However many there are, they are drawn four times a second.
import { html, useEffect, useRef, useState } from '../preact.js';
import { listen } from '../stream.js';
import { formatted } from '../time.js';
import { utc } from '../store.js';
import { named, t } from '../words.js';
import { Id } from './copy.js';
import { Icon } from './icon.js';
import { sessionLink, UserLink } from './session_words.js';

/** As many are kept. */
export const KEPT = 500;
const DRAWN_EVERY = 250;
const SAID_EVERY = 5000;

/** @typedef {{ key: number, kind: 'one' | 'many' | 'missed', at: string, session?: string, user?: string, reason?: string, row?: any }} Ending */

let count = 0;

/** @param {import('../stream.js').StreamEvent} event @returns {Ending | null} */
function endingOf({ event, data }) {
    const at = data?.ended_at ?? new Date().toISOString();
    if (event === 'session.ended') return { key: ++count, kind: 'one', at, session: data.session_id, user: data.user_id, reason: data.reason };
    if (event === 'sessions.ended') return { key: ++count, kind: 'many', at, user: data?.user_id, reason: data?.reason };
    return event === 'missed' ? { key: ++count, kind: 'missed', at } : null;
}

/**
 * The last endings, newest first. A pause keeps what is shown; what comes meanwhile is counted and shown after it.
 * @param {{ user?: string, paused?: boolean, kept?: number }} options
 */
export function useEndings({ user = '', paused = false, kept = KEPT }) {
    const [shown, setShown] = useState(/** @type {Ending[]} */ ([]));
    const [state, setState] = useState(/** @type {{ is: import('../stream.js').StreamState, error?: any }} */ ({ is: 'connecting' }));
    const [waiting, setWaiting] = useState(0);
    const [total, setTotal] = useState(0);
    const held = useRef({ paused, news: /** @type {Ending[]} */ ([]), drawn: 0, came: 0 });
    held.current.paused = paused;
    useEffect(() => {
        const { current } = held;
        current.news = [];
        current.drawn = current.came = 0;
        setShown([]);
        setTotal(0);
        const draw = () => {
            if (current.paused) return setWaiting(current.news.length);
            if (!current.news.length) return;
            const news = current.news.reverse();
            current.news = [];
            setWaiting(0);
            setTotal(current.came);
            setShown((before) => [...news, ...before].slice(0, kept));
        };
        const stop = listen('/v1/events', {
            query: { user_id: user },
            onState: (is, error) => setState({ is, error }),
            onEvent: (event) => {
                const ending = endingOf(event);
                if (!ending) return;
                current.came += 1;
                current.news.push(ending);
                if (current.news.length > kept) current.news.shift();
            },
        });
        const timer = setInterval(draw, DRAWN_EVERY);
        return () => {
            stop();
            clearInterval(timer);
        };
    }, [user]);
    return { shown, state, waiting, total };
}

/** Whether endings come in, in a word with a mark. @param {{ state: { is: string }, paused?: boolean }} props */
export const StreamMark = ({ state, paused }) => html`<span class=${`badge ${paused ? 'quiet' : { open: 'good', waiting: 'bad' }[state.is] ?? 'quiet'}`}>
    <i class="mark" aria-hidden="true"></i>${t(paused ? 'live.paused' : `live.${state.is}`)}</span>`;

/** Says how many came, at most every five seconds, for those who do not see them. @param {{ total: number }} props */
export function Announcement({ total }) {
    const [said, setSaid] = useState(0);
    const latest = useRef(total);
    latest.current = total;
    useEffect(() => {
        const timer = setInterval(() => setSaid(latest.current), SAID_EVERY);
        return () => clearInterval(timer);
    }, []);
    return html`<p class="hidden" role="status">${said ? t('live.came', { n: said }) : ''}</p>`;
}

/** @param {{ at: string }} props */
function Clock({ at }) {
    utc.use();
    return html`<time class="mono small faint" datetime=${at} title=${at}>${formatted(new Date(at), { hour: '2-digit', minute: '2-digit', second: '2-digit' })}</time>`;
}

/** @param {{ ending: Ending }} props */
function Row({ ending }) {
    const { kind, at, session, user, reason } = ending;
    if (kind === 'missed') return html`<li class="ending"><${Clock} at=${at} /><span class="ending-what"><${Icon} name="warning" /> ${t('live.missed')}</span></li>`;
    return html`<li class=${`ending ${reason === 'reuse_detected' ? 'alarming' : ''}`}><${Clock} at=${at} />
        <span class="ending-what"><i class="mark" aria-hidden="true"></i>${named('reason', reason)}</span>
        <span class="ending-who">${user ? html`<${UserLink} id=${user} />` : html`<span class="muted">${t('live.everybody')}</span>`}</span>
        <span class="ending-which">${session ? html`<${Id} value=${session} href=${sessionLink(session)} />` : html`<span class="muted">${t('live.many')}</span>`}</span></li>`;
}

/** A drawn row is kept with its ending: only new ones cost anything. @param {{ endings: Ending[], label: string }} props */
export const Endings = ({ endings, label }) => html`<ol class="endings" aria-label=${label}>${endings.map((ending) => (ending.row ??= html`<${Row} key=${ending.key} ending=${ending} />`))}</ol>`;

