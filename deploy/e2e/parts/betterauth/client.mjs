// The official client, unmodified, as a browser has it: it is driven through one scenario, and what it asked and was told
// is printed.
//
// RIG_OPTIONS, a JSON object:
//
//   baseURL  where it believes Better Auth to be
//   setup    where the real Better Auth answers: what people own before the scenario is made there
//
// It prints one JSON object a line: {"step"} for what the scenario does next, {"call"} for each request with its answer,
// in the order of their paths within a step, since hooks ask at the same time; {"result"} for what the caller of the client
// got, {"went"} for where the window was sent, {"hooks"} for what the stores behind useSession and its like hold. The last
// one is {"done": true}.
import { createAuthClient } from "better-auth-1-7/client";
import { organizationClient } from "better-auth-1-7/client/plugins";

const rig = JSON.parse(process.env.RIG_OPTIONS);
const say = (line) => console.log(JSON.stringify(line));

// The window: whoever is sent somewhere else stays, and it is written down.
const quiet = { addEventListener() {}, removeEventListener() {} };
const location = { origin: rig.baseURL, get href() { return `${rig.baseURL}/`; }, set href(to) { say({ went: to }); } };
Object.assign(globalThis, {
	window: { ...quiet, location },
	document: { ...quiet, visibilityState: "visible" },
	localStorage: { setItem() {}, getItem: () => null, removeItem() {} },
});

// browser is a jar of cookies, by host, and a fetch that keeps them.
function browser() {
	const jar = new Map();
	const keep = (url, response) => {
		for (const line of response.headers.getSetCookie()) {
			const [pair, ...attributes] = line.split(";").map((part) => part.trim());
			const at = pair.indexOf("=");
			const key = `${url.host} ${pair.slice(0, at)}`;
			const dead = attributes.some((one) => /^max-age=0$/i.test(one) || /^expires=thu, 01 jan 1970/i.test(one));
			if (dead) jar.delete(key);
			else jar.set(key, pair.slice(at + 1));
		}
	};
	return async (to, init = {}) => {
		const url = new URL(to);
		const headers = new Headers(init.headers);
		const cookies = [...jar].filter(([key]) => key.startsWith(`${url.host} `)).map(([key, value]) => `${key.slice(url.host.length + 1)}=${value}`);
		if (cookies.length > 0) headers.set("cookie", cookies.join("; "));
		if (init.method && init.method !== "GET") headers.set("origin", rig.baseURL);
		headers.set("user-agent", "rig/1.0");
		const response = await fetch(url, { ...init, headers, redirect: "manual" });
		keep(url, response);
		return response;
	};
}

// person is a client with a browser of its own, whose calls are written down.
const calls = [];
let running = 0;
function person() {
	const plain = browser();
	const logged = async (to, init = {}) => {
		const url = new URL(to);
		const headers = new Headers(init.headers);
		const call = {
			ask: `${init.method ?? "GET"} ${url.pathname}${url.search}`, type: headers.get("content-type"), body: init.body ?? null,
			credentials: init.credentials ?? null, headers: [...headers.keys()].sort(),
		};
		calls.push(call);
		running++;
		try {
			const response = await plain(to, init);
			const text = await response.clone().text();
			Object.assign(call, {
				status: `${response.status} ${response.statusText}`, answerType: response.headers.get("content-type"), answer: text,
				location: response.headers.get("location"), cookies: response.headers.getSetCookie(), bearer: response.headers.get("set-auth-token"),
			});
			return response;
		} catch (error) {
			call.failed = error.name;
			throw error;
		} finally {
			running--;
		}
	};
	const client = createAuthClient({
		baseURL: rig.baseURL, plugins: [organizationClient()], fetchOptions: { customFetchImpl: logged },
	});
	return { client, plain };
}

// idle waits until no hook has anything to ask any more: signals go off 10 ms after an answer.
async function idle() {
	for (let still = 0; still < 3; ) {
		await new Promise((resolve) => setTimeout(resolve, 12));
		still = running > 0 ? 0 : still + 1;
	}
}

const hooks = {};
async function step(name, does) {
	say({ step: name });
	const result = await does();
	await idle();
	calls.sort((a, b) => (a.ask < b.ask ? -1 : a.ask > b.ask ? 1 : 0));
	for (const call of calls.splice(0)) say({ call });
	if (result !== undefined) say({ result });
	say({ hooks: Object.fromEntries(Object.entries(hooks).map(([key, store]) => [key, view(store.get())])) });
	return result;
}

// view is a store's value without its functions.
const view = ({ data, error, isPending, isRefetching }) => ({ data, error, isPending, isRefetching });

// visit walks through the provider as somebody, and opens the callback.
async function visit(plain, to, sub) {
	for (let hop = 0; hop < 12; hop++) {
		let response = await plain(to);
		if (response.status === 200) response = await plain(to, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: `sub=${sub}` });
		if (response.status < 300 || response.status > 399) throw new Error(`${to}: ${response.status} ${await response.text()}`);
		const next = new URL(response.headers.get("location"), to).href;
		if (next.startsWith(`${rig.baseURL}/`)) {
			const back = await plain(next);
			return `${back.status} ${back.headers.get("location")}`;
		}
		to = next;
	}
	throw new Error("the provider leads around in circles");
}

const me = person();
const { client } = me;
const signIn = async (who, sub) => {
	const { data, error } = await who.client.signIn.social({ provider: "acme", callbackURL: "/dash", errorCallbackURL: "/failed", disableRedirect: true });
	if (error) throw new Error(JSON.stringify(error));
	return { back: await visit(who.plain, data.url, sub) };
};
// onReal does on the real server, as whoever is signed in, what the companion leaves to it.
const onReal = async (who, path, body) => {
	const session = (await who.client.getSession()).data.session.token;
	calls.splice(0);
	const response = await fetch(`${rig.setup}/api/auth${path}`, {
		method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", origin: rig.baseURL, authorization: `Bearer ${session}` },
	});
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
	return response.json();
};

// Nobody is signed in.
await step("getSession, signed out", () => client.getSession());
hooks.session = client.useSession;
await step("useSession, signed out", () => { hooks.session.listen(() => {}); });
hooks.list = client.useListOrganizations;
hooks.active = client.useActiveOrganization;
await step("organization hooks, signed out", () => { hooks.list.listen(() => {}); hooks.active.listen(() => {}); });
for (const [name, call] of Object.entries({
	listSessions: () => client.listSessions(), listAccounts: () => client.listAccounts(), updateUser: () => client.updateUser({ name: "x" }),
	revokeSession: () => client.revokeSession({ token: "x" }), revokeSessions: () => client.revokeSessions(),
	revokeOtherSessions: () => client.revokeOtherSessions(), getAccessToken: () => client.getAccessToken({ accountId: "x" }),
	refreshToken: () => client.refreshToken({ accountId: "x" }), accountInfo: () => client.accountInfo({ query: { accountId: "x" } }),
	linkSocial: () => client.linkSocial({ provider: "acme" }), unlinkAccount: () => client.unlinkAccount({ accountId: "x" }),
	"organization.list": () => client.organization.list(), "organization.setActive": () => client.organization.setActive({ organizationId: "x" }),
	"organization.getFullOrganization": () => client.organization.getFullOrganization(),
	"organization.getActiveMember": () => client.organization.getActiveMember(),
	"organization.getActiveMemberRole": () => client.organization.getActiveMemberRole(), signOut: () => client.signOut(),
})) await step(`${name}, signed out`, call);

// Signing in.
await step("signIn.social", () => client.signIn.social({ provider: "acme", callbackURL: "/dash", errorCallbackURL: "/failed", newUserCallbackURL: "/new" }));
await step("signIn.social, no such provider", () => client.signIn.social({ provider: "nobody", callbackURL: "/" }));
await step("signIn.social, to a stranger", () => client.signIn.social({ provider: "acme", callbackURL: "https://evil.example/" }));
await step("signIn.social, no provider", () => client.signIn.social({ callbackURL: "/" }));
await step("signed in", () => signIn(me, "sub-ada"));
await step("refetch", () => { hooks.session.get().refetch(); });
await step("getSession", () => client.getSession());
await step("getSession, no cookie cache", () => client.getSession({ query: { disableCookieCache: true } }));
await step("updateUser", () => client.updateUser({ name: "Ada King", image: "https://example.com/king.png" }));
await step("updateUser, no picture", () => client.updateUser({ image: null }));
await step("updateUser, the address", () => client.updateUser({ email: "other@example.com" }));
await step("updateUser, nothing", () => client.updateUser({}));

// Sessions.
const other = person();
await step("signed in elsewhere", () => signIn(other, "sub-ada"));
const sessions = await step("listSessions", async () => sorted((await client.listSessions()).data));
await step("revokeSession", () => client.revokeSession({ token: sessions[1].token }));
await step("revokeSession, unknown", () => client.revokeSession({ token: "unknown" }));
await step("revokeSession, no token", () => client.revokeSession({ id: "x" }));
await step("getSession elsewhere, revoked", () => other.client.getSession());
await step("signed in elsewhere again", () => signIn(other, "sub-ada"));
await step("revokeOtherSessions", () => client.revokeOtherSessions());
await step("getSession elsewhere, revoked again", () => other.client.getSession());

// Accounts.
const accounts = await step("listAccounts", () => client.listAccounts());
const accountId = accounts.data?.[0]?.id;
await step("getAccessToken", () => client.getAccessToken({ accountId }));
await step("getAccessToken, unknown", () => client.getAccessToken({ accountId: "unknown" }));
await step("getAccessToken, by provider", () => client.getAccessToken({ providerId: "acme" }));
await step("refreshToken", () => client.refreshToken({ accountId }));
await step("refreshToken, unknown", () => client.refreshToken({ accountId: "unknown" }));
await step("accountInfo", () => client.accountInfo({ query: { accountId } }));
await step("accountInfo, unknown", () => client.accountInfo({ query: { accountId: "unknown" } }));
await step("accountInfo, of nothing", () => client.accountInfo());
await step("linkSocial", () => client.linkSocial({ provider: "acme", callbackURL: "/account", scopes: ["extra"] }));
await step("linkSocial, no such provider", () => client.linkSocial({ provider: "nobody" }));
await step("unlinkAccount, the last one", () => client.unlinkAccount({ accountId }));
await step("unlinkAccount, unknown", () => client.unlinkAccount({ accountId: "unknown" }));
await step("unlinkAccount, by provider", () => client.unlinkAccount({ providerId: "acme" }));

// Organizations.
await step("organization.list, none", () => client.organization.list());
await step("organization.getActiveMember, none", () => client.organization.getActiveMember());
const mine = await onReal(me, "/organization/create", { name: "Engines", slug: "engines", metadata: { plan: "pro" }, keepCurrentActiveOrganization: true });
const bob = person();
await signIn(bob, "sub-bob");
await idle();
const theirs = await onReal(bob, "/organization/create", { name: "Others", slug: "others" });
await step("organization.list", () => client.organization.list());
await step("organization.setActive", () => client.organization.setActive({ organizationId: mine.id }));
await step("organization.setActive, by slug", () => client.organization.setActive({ organizationSlug: "engines" }));
await step("organization.getFullOrganization", () => client.organization.getFullOrganization());
await step("organization.getFullOrganization, by slug", () => client.organization.getFullOrganization({ query: { organizationSlug: "engines", membersLimit: 1 } }));
await step("organization.getActiveMember", () => client.organization.getActiveMember());
await step("organization.getActiveMemberRole", () => client.organization.getActiveMemberRole());
await step("organization.setActive, somebody else's", () => client.organization.setActive({ organizationId: theirs.id }));
await step("organization.getActiveMember, none any more", () => client.organization.getActiveMember());
await step("organization.setActive, unknown", () => client.organization.setActive({ organizationId: "unknown" }));
await step("organization.getFullOrganization, somebody else's", () => client.organization.getFullOrganization({ query: { organizationId: theirs.id } }));
await step("organization.setActive, again", () => client.organization.setActive({ organizationId: mine.id }));
await step("organization.setActive, none", () => client.organization.setActive({ organizationId: null }));
await step("organization.setActive, empty", () => client.organization.setActive({}));

// The end.
await step("no such route", () => client.nothing.ofTheSort({ a: 1 }));
await step("revokeSessions", () => client.revokeSessions());
await step("signed in once more", () => signIn(me, "sub-ada"));
await step("signOut", () => client.signOut());
await step("getSession, signed out again", () => client.getSession());
say({ done: true });
process.exit(0);

// sorted puts sessions in the order in which they began: the list has none.
function sorted(list) {
	return [...(list ?? [])].sort((a, b) => a.createdAt - b.createdAt);
}
