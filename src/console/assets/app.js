// The start of the page: words, the sign-in's link, and who is signed in.
import { get, signIn } from './api.js';
import { html, render } from './preact.js';
import { watchLinks } from './router.js';
import { Shell } from './shell.js';
import { me } from './store.js';
import { loadWords } from './words.js';

/** Takes a one-time link out of the address before anything else can see or keep it. */
function takeLink() {
    const link = location.hash.slice(1);
    if (link) history.replaceState(history.state, '', location.pathname + location.search);
    return link;
}

const link = takeLink();
await loadWords();
watchLinks();
let refused;
try {
    if (link) await signIn({ link });
    else me.set(await get('/admin/me'));
} catch (error) {
    refused = error;
    me.set(null);
    // A link that was used already does not end the sign-in that it made.
    if (link) me.set(await get('/admin/me').catch(() => null));
}
const page = document.getElementById('console');
if (page) render(html`<${Shell} refused=${refused} usedLink=${Boolean(link)} />`, page);
