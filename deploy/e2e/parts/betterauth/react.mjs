// The official React client, unmodified, in a page that React renders: what its hooks asked for and what people were shown.
//
// RIG_OPTIONS are those of client.mjs. It prints one JSON object a line: {"step"} for what happens next, {"call"} for each
// request with its answer, {"rendered"} for the states that each hook's component was rendered with, each followed by
// another one, and {"page"} for what the page says in the end. The last one is {"done": true}.
import { Window } from "happy-dom";
import { browser, idle, onReal, say, signIn, told, view, written } from "./browser.mjs";

const rig = JSON.parse(process.env.RIG_OPTIONS);

// The page, before React looks for one.
const page = new Window({ url: `${rig.baseURL}/`, settings: { navigation: { disableMainFrameNavigation: true } } });
const { document } = page;
for (const [name, value] of Object.entries({ window: page, document, localStorage: page.localStorage, navigator: page.navigator })) {
	Object.defineProperty(globalThis, name, { value, configurable: true }); // newer versions of Node.js have a navigator
}
const { StrictMode, createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { createAuthClient } = await import("better-auth-1-7/react");
const { organizationClient } = await import("better-auth-1-7/client/plugins");

// inTurn lets one request through at a time, in the order of their paths, each after the page has settled: hooks ask at the
// same time, and what they are rendered with on the way depends on who is answered first.
function inTurn(plain) {
	const settled = () => new Promise((resolve) => setTimeout(resolve, 40)); // signals go off 10 ms after an answer
	const waiting = [];
	let letting = false;
	async function letThrough() {
		letting = true;
		for (await settled(); waiting.length > 0; await settled()) {
			waiting.sort((a, b) => (a.to < b.to ? -1 : a.to > b.to ? 1 : 0));
			const { to, init, resolve, reject } = waiting.shift();
			await plain(to, init).then(resolve, reject);
		}
		letting = false;
	}
	return (to, init) => new Promise((resolve, reject) => {
		waiting.push({ to: String(to), init, resolve, reject });
		if (!letting) letThrough();
	});
}

const plain = browser();
const load = () => createAuthClient({
	baseURL: rig.baseURL, plugins: [organizationClient()], fetchOptions: { customFetchImpl: written(inTurn(plain)) },
});
let client, root;

// Shown is a component with one hook; what it was rendered with is kept, but not what React renders twice.
const rendered = {};
function Shown({ hook, id }) {
	const text = JSON.stringify(view(client[hook]()));
	const states = (rendered[id] ??= []);
	if (states.at(-1) !== text) states.push(text);
	return createElement("p", { id }, text);
}

// Button does what an application's button does.
const Button = ({ id, does }) => createElement("button", { id, onClick: () => { pressed = does(); } }, id);
let pressed;

let organization;
function Page() {
	return createElement("main", null,
		createElement(Shown, { hook: "useSession", id: "session" }),
		createElement(Shown, { hook: "useSession", id: "session-elsewhere-on-the-page" }),
		createElement(Shown, { hook: "useListOrganizations", id: "organizations" }),
		createElement(Shown, { hook: "useActiveOrganization", id: "active" }),
		createElement(Button, { id: "rename", does: () => client.updateUser({ name: "Ada King" }) }),
		createElement(Button, { id: "enter", does: () => client.organization.setActive({ organizationId: organization.id }) }),
		createElement(Button, { id: "leave", does: () => client.organization.setActive({ organizationId: null }) }),
		createElement(Button, { id: "stranger", does: () => client.organization.setActive({ organizationId: "unknown" }) }),
		createElement(Button, { id: "sign-out", does: () => client.signOut() }),
	);
}

// open loads the page anew, as after a redirect: with a client that knows nothing, in a browser that has its cookies.
function open(mode) {
	root?.unmount();
	client = load();
	document.body.innerHTML = '<div id="root"></div>';
	root = createRoot(document.getElementById("root"));
	root.render(mode ? createElement(mode, null, createElement(Page)) : createElement(Page));
}

async function press(id) {
	document.getElementById(id).click();
	await pressed;
}

async function step(name, does) {
	say({ step: name });
	await does();
	await idle();
	told();
	for (const id of Object.keys(rendered).sort()) say({ rendered: id, with: rendered[id].splice(0) });
	say({ page: Object.fromEntries([...document.querySelectorAll("p")].map((p) => [p.id, p.textContent])) });
}

await step("opened, signed out", () => open());
await step("signed in", () => signIn({ client, plain }, "sub-ada"));
await step("opened, signed in", () => open());
await step("renamed", () => press("rename"));
organization = await onReal({ client, plain }, "/organization/create", { name: "Engines", slug: "engines", metadata: { plan: "pro" }, keepCurrentActiveOrganization: true });
await step("opened, with an organization", () => open());
await step("entered", () => press("enter"));
await step("opened as in development", () => open(StrictMode));
await step("entered what is not there", () => press("stranger"));
await step("left", () => press("leave"));
await step("entered again", () => press("enter"));
await step("signed out", () => press("sign-out"));
await step("opened, signed out again", () => open());
await step("closed", () => { root.unmount(); document.body.innerHTML = ""; });
say({ done: true });
process.exit(0);
