// Deutsch für die Seiten, auf denen Benutzer, Schlüssel, Anwendungen und alles Übrige verwaltet werden.

/** @type {import('../words.js').Words} */
export const managed = {};
