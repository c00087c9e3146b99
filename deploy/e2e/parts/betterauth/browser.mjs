// What the scenarios of the official client share: a browser's cookies, a way through the provider, and a log of what was
// asked and told. RIG_OPTIONS is as client.mjs describes it.
const rig = JSON.parse(process.env.RIG_OPTIONS);

export const say = (line) => console.log(JSON.stringify(line));

// browser is a jar of cookies, by host, and a fetch that keeps them.
export function browser() {
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

// written is a fetch whose calls are written down until a step takes them.
const calls = [];
let running = 0;
export const written = (plain) => async (to, init = {}) => {
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

// idle waits until no hook has anything to ask any more: signals go off 10 ms after an answer.
export async function idle() {
	for (let still = 0; still < 3; ) {
		await new Promise((resolve) => setTimeout(resolve, 12));
		still = running > 0 ? 0 : still + 1;
	}
}

// told prints the calls of a step in the order of their paths, since hooks ask at the same time.
export function told() {
	calls.sort((a, b) => (a.ask < b.ask ? -1 : a.ask > b.ask ? 1 : 0));
	for (const call of calls.splice(0)) say({ call });
}

// view is a store's value without its functions.
export const view = ({ data, error, isPending, isRefetching }) => ({ data, error, isPending, isRefetching });

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

// signIn signs a client's browser in.
export const signIn = async (who, sub) => {
	const { data, error } = await who.client.signIn.social({ provider: "acme", callbackURL: "/dash", errorCallbackURL: "/failed", disableRedirect: true });
	if (error) throw new Error(JSON.stringify(error));
	return { back: await visit(who.plain, data.url, sub) };
};

// onReal does on the real server, as whoever is signed in, what the companion leaves to it.
export const onReal = async (who, path, body) => {
	const session = (await who.client.getSession()).data.session.token;
	calls.splice(0);
	const response = await fetch(`${rig.setup}/api/auth${path}`, {
		method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", origin: rig.baseURL, authorization: `Bearer ${session}` },
	});
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
	return response.json();
};
