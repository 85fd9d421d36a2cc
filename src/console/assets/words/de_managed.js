// German for the screens that manage users, keys, applications and the rest.

/** @type {import('../words.js').Words} */
export const managed = {};
