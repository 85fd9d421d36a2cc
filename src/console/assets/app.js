// The start of the page: words, the sign-in's link, and who is signed in. What does not wait for another is asked for at once.
import { get, Problem, signIn } from './api.js';
import { html, render } from './preact.js';
import { place, watchLinks } from './router.js';
import { found } from './routes.js';
import { Shell } from './shell.js';
import { me } from './store.js';
import { loadWords } from './words.js';

/** Takes a one-time link out of the address before anything else can see or keep it. */
function takeLink() {
    const link = location.hash.startsWith('#sjl_') ? location.hash.slice(1) : '';
    if (link) history.replaceState(history.state, '', location.pathname + location.search);
    return link;
}

// The icon may be asked for after the address has changed, against which its path would be read.
const icon = document.querySelector('link');
if (icon) icon.href = String(icon.href);
const link = takeLink();
watchLinks();
found(place.get().path)?.route.screen().catch(() => null);
const asked = (link ? signIn({ link }) : get('/admin/me').then(me.set)).then(() => null, (error) => error);
await loadWords();
let refused = await asked;
if (refused) {
    // Without an answer the problem was put into words before there were any.
    if (!refused.status) refused = new Problem(0, {}, null);
    // A link that was used already does not end the sign-in that it made.
    me.set(link ? await get('/admin/me').catch(() => null) : null);
}
const page = document.getElementById('console');
if (page) render(html`<${Shell} refused=${refused} usedLink=${Boolean(link)} />`, page);
