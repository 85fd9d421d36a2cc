// Every screen and state of the console, to be looked at in every width and theme.
import { dialog } from './steps.mjs';

const dialogOf = (name) => async (page) => {
    await page.getByRole('button', { name }).first().click();
    await dialog(page).waitFor();
};

/**
 * Screens by name: the address, what makes the state, and what a screen waits for besides its heading.
 * @param {import('./world.mjs').World} world
 * @returns {[string, string, { act?: (page: any) => Promise<void>, who?: string, awaited?: RegExp[] }?][]}
 */
export const looks = ({ data }) => [
    ['sign-in', '/admin', { who: '', awaited: [/status of 401/] }],
    ['overview', '/admin'],
    ['sessions', '/admin/sessions'],
    ['sessions-filtered', '/admin/sessions?state=active&client_id=web&device_type=desktop'],
    ['sessions-empty', '/admin/sessions?user_id=nobody'],
    ['session', `/admin/sessions/${data.byLogin[0].id}`],
    ['session-of-a-stranger', `/admin/sessions/${data.strange.markup.id}`],
    ['session-missing', '/admin/sessions/01a20114-3d06-7355-88c5-d5965a7f8762', { awaited: [/status of 404/] }],
    ['users', '/admin/users'],
    ['user', '/admin/users/1003'],
    ['user-banned', '/admin/users/banned-1'],
    ['user-ban', '/admin/users/1003', { act: dialogOf('Ban') }],
    ['user-delete', '/admin/users/1003', { act: dialogOf('Delete …') }],
    ['live', '/admin/live'],
    ['end', '/admin/end'],
    ['end-counted', '/admin/end?client_id=web', { act: (page) => page.getByRole('button', { name: 'Count what this means' }).click().then(() => page.locator('.danger-zone').waitFor()) }],
    ['keys', '/admin/keys'],
    ['key-new', '/admin/keys', { act: dialogOf('Create a key') }],
    ['key-revoke', '/admin/keys', { act: dialogOf(/^Revoke/) }],
    ['signing', '/admin/signing'],
    ['signing-compromised', '/admin/signing', { act: dialogOf(/compromised/) }],
    ['applications', '/admin/applications'],
    ['application-change', '/admin/applications', { act: dialogOf(/^Change/) }],
    ['audit', '/admin/audit'],
    ['settings', '/admin/settings'],
    ['viewer', '/admin/users/1003', { who: 'viewer' }],
    ['nothing-here', '/admin/no/such/screen'],
];
