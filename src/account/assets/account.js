// Sessions that are ended elsewhere disappear at once. The page does all else without this script.
const live = document.querySelector('[data-live]');
const isBusy = () => document.querySelector('details[open], input:focus') !== null;
let events = null;
let wasOpen = false;

// The sentence about what was done is for once, and not for a reload.
if (location.search) history.replaceState(null, '', location.pathname);

function remove(id) {
    const row = document.querySelector(`[data-session="${CSS.escape(id)}"]`);
    if (!row) return;
    if (row.closest('[data-current]')) return location.reload();
    row.remove();
    live.textContent = live.dataset.gone;
    if (document.querySelector('[data-others] [data-session]')) return;
    for (const rest of document.querySelectorAll('[data-others]')) rest.hidden = true;
    document.querySelector('[data-none]').hidden = false;
}

function listen() {
    events = new EventSource(live.dataset.events);
    events.addEventListener('open', () => {
        // Endings may have been missed while nothing was heard.
        if (wasOpen && !isBusy()) location.reload();
        wasOpen = true;
    });
    events.addEventListener('ended', (event) => {
        const { session_id: id } = JSON.parse(event.data);
        if (id) remove(id);
        else location.reload();
    });
    events.addEventListener('error', () => {
        // Refused after it was accepted: the session of this browser is over.
        if (wasOpen && events.readyState === EventSource.CLOSED) location.reload();
    });
}

// A page that nobody sees needs no connection, of which a browser has few.
document.addEventListener('visibilitychange', () => {
    events?.close();
    if (!document.hidden) listen();
});
if (!document.hidden) listen();
