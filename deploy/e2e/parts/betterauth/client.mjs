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
import { browser, idle, onReal, say, signIn, told, view, written } from "./browser.mjs";

const rig = JSON.parse(process.env.RIG_OPTIONS);

// The window: whoever is sent somewhere else stays, and it is written down.
const quiet = { addEventListener() {}, removeEventListener() {} };
const location = { origin: rig.baseURL, get href() { return `${rig.baseURL}/`; }, set href(to) { say({ went: to }); } };
Object.assign(globalThis, {
	window: { ...quiet, location },
	document: { ...quiet, visibilityState: "visible" },
	localStorage: { setItem() {}, getItem: () => null, removeItem() {} },
});

// person is a client with a browser of its own, whose calls are written down.
function person() {
	const plain = browser();
	const client = createAuthClient({
		baseURL: rig.baseURL, plugins: [organizationClient()], fetchOptions: { customFetchImpl: written(plain) },
	});
	return { client, plain };
}

const hooks = {};
async function step(name, does) {
	say({ step: name });
	const result = await does();
	await idle();
	told();
	if (result !== undefined) say({ result });
	say({ hooks: Object.fromEntries(Object.entries(hooks).map(([key, store]) => [key, view(store.get())])) });
	return result;
}

const me = person();
const { client } = me;

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
