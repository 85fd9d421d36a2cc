// Every screen with its address, and its place in the navigation.
import { matched } from './router.js';

/**
 * @typedef {object} Route
 * @property {string} path
 * @property {() => Promise<{ default: (props: { params: Record<string, string>, query: URLSearchParams }) => any }>} screen
 * @property {string} [nav] its name in the navigation (`nav.*`), which is its drawing, too
 * @property {string} [under] the navigation's entry that is marked for a screen without its own
 * @property {boolean} [admin] only for role admin
 */

/** @type {{ group: string, routes: Route[] }[]} */
export const groups = [
    { group: 'watch', routes: [
        { path: '/', screen: () => import('./screens/overview.js'), nav: 'overview' },
        { path: '/sessions', screen: () => import('./screens/sessions.js'), nav: 'sessions' },
        { path: '/sessions/:id', screen: () => import('./screens/session.js'), under: 'sessions' },
        { path: '/users', screen: () => import('./screens/users.js'), nav: 'users' },
        { path: '/users/:id', screen: () => import('./screens/user.js'), under: 'users' },
        { path: '/live', screen: () => import('./screens/live.js'), nav: 'live' },
    ] },
    { group: 'act', routes: [
        { path: '/end', screen: () => import('./screens/end.js'), nav: 'end', admin: true },
        { path: '/keys', screen: () => import('./screens/keys.js'), nav: 'keys', admin: true },
        { path: '/signing', screen: () => import('./screens/signing.js'), nav: 'signing', admin: true },
        { path: '/applications', screen: () => import('./screens/applications.js'), nav: 'applications' },
    ] },
    { group: 'look', routes: [
        { path: '/audit', screen: () => import('./screens/audit.js'), nav: 'audit', admin: true },
        { path: '/settings', screen: () => import('./screens/settings.js'), nav: 'settings', admin: true },
    ] },
];

const routes = groups.flatMap((each) => each.routes);

/** The route of a path, and the values of its names. @param {string} path */
export function found(path) {
    for (const route of routes) {
        const params = matched(route.path, path);
        if (params) return { route, params };
    }
    return null;
}
