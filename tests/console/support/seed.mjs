// The data set that the screens are looked at with: what strangers may write into every field that they can fill, and a few hundred
// sessions of several applications, devices, networks and reasons.

/** Hostile names that a stranger may choose for an account, a device or a browser. */
export const STRANGE = {
    markup: '"><img src=x onerror=alert(1)>',
    script: '</script><script>alert(2)</script>',
    rightToLeft: '\u202eמכשיר של דוד\u202c \u2067العربية\u2069',
    long: 'W'.repeat(255),
    template: '${alert(3)} {{alert(4)}} javascript:alert(5)',
};

export const AGENTS = [
    'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
    'Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
];
const NAMES = ['Alice Martin', 'Bob Okafor', 'Chloé Dubois', 'Dmitri Volkov', 'Emeka Nwosu', 'Fatima Zahra', 'Georg Müller', '林 美玲'];
const PLACES = ['Lisbon, PT', 'Berlin, DE', 'Lagos, NG', 'Kyōto, JP', 'Montréal, CA', null];
const APPLICATIONS = ['web', 'shop', 'mobile', null];
/** Users 1001 to 1040 have sessions in this number. */
export const SESSIONS = 320;

const inGroups = async (all, work) => {
    const results = [];
    for (let at = 0; at < all.length; at += 10) results.push(...(await Promise.all(all.slice(at, at + 10).map(work))));
    return results;
};

/** The opening of the n-th ordinary session. */
function ordinary(n) {
    const user = n % 40;
    const name = NAMES[user % NAMES.length];
    return [
        String(1001 + user),
        {
            user: { name, email: `user${1001 + user}@example.org` },
            client_id: APPLICATIONS[n % 7 % APPLICATIONS.length],
            user_agent: AGENTS[n % 11 % AGENTS.length],
            ip_address: n % 5 ? `198.51.100.${n % 250}` : `203.0.113.${n % 250}`,
            location: PLACES[n % PLACES.length],
            scope: 'profile orders',
            acr: n % 3 ? undefined : 'aal1',
            amr: ['pwd'],
        },
    ];
}

/** Sessions whose every field is as bad as a stranger can make it. */
async function strange(server) {
    const { markup, script, rightToLeft, long, template } = STRANGE;
    const of = (user, device_name, user_agent, value) =>
        server.open(user, {
            user: { name: device_name, email: 'x@example.org' },
            device_name,
            user_agent,
            location: value,
            ip_address: '192.0.2.66',
            client_id: 'shop',
            metadata: { [value]: value, nested: { list: [script, 1, null] } },
        });
    return {
        markup: await of(markup, markup, markup, script),
        rightToLeft: await of('rtl-1', rightToLeft, rightToLeft, rightToLeft),
        long: await of(long, long, long, long),
        template: await of('../../admin?x=%2F#y', template, script, template),
    };
}

/** Ends sessions in all the ways that need no waiting. */
async function endings(server, sessions) {
    const own = (session, at, method = 'DELETE') => server.call(method, at, undefined, session.token);
    const [loggedOut, byUser, byStaff, replaced] = sessions;
    await own(loggedOut, `/v1/sessions/${loggedOut.id}`);
    const other = await server.open(byUser.user_id);
    await own(other, `/v1/sessions/${byUser.id}`);
    await server.call('DELETE', `/v1/sessions/${byStaff.id}`);
    await server.open(replaced.user_id, { replaces: replaced.id });
    await server.open('banned-1', { user: { name: 'Mallory' } });
    await server.call('POST', '/v1/users/banned-1/ban');
    await server.open('deleted-1');
    await server.call('DELETE', '/v1/users/deleted-1');
    for (const { id } of sessions.slice(4, 24)) await server.call('DELETE', `/v1/sessions/${id}`);
}

/** Fills a new server, and gives what tests need to know of it. */
export async function seed(server) {
    const applications = [
        { client_id: 'web', name: 'Web' },
        { client_id: 'shop', name: STRANGE.markup, idle_timeout: 3600, absolute_lifetime: 86400, scope: 'profile orders' },
    ];
    for (const application of applications) await server.call('POST', '/v1/applications', application);
    const admin = await server.makeKey('Console of the tests', 'sessions:admin sessions:read');
    const viewer = await server.makeKey('Support desk', 'sessions:read');
    const login = await server.makeKey('Web login', 'sessions:write', { client_id: 'web' });
    const stranger = await server.makeKey(STRANGE.markup, 'sessions:read', { expires_in: 3600 });
    await server.call('DELETE', `/v1/keys/${stranger.key.id}`);
    const sessions = await inGroups([...Array(SESSIONS).keys()], (n) => server.open(...ordinary(n)));
    // These stay: a test ends them by the key that opened them.
    const byLogin = await inGroups([...Array(7).keys()], (n) =>
        server.open(`login-${n}`, { client_id: 'web', user_agent: AGENTS[0] }, login.secret),
    );
    await endings(server, sessions);
    return { admin, viewer, login, strange: await strange(server), byLogin };
}
