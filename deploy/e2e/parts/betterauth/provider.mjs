// A certified OpenID provider as a process, for Usher's tests: npm's oidc-provider, with people who need no password.
//
// RIG_OPTIONS, a JSON object:
//
//   clients    of oidc-provider: [{client_id, client_secret, redirect_uris, …}]
//   people     [{sub, email, email_verified, name, picture}]; login_hint picks one by e-mail or sub without a page
//   claims     true: id tokens hold e-mail and name too, and not only userinfo
//   port       where to listen
//
// It prints one JSON line, {"url": …}, when it answers, and lives as long as its standard input is open.
import http from "node:http";
import Provider from "oidc-provider";

process.stdin.on("close", () => process.exit(0)).on("error", () => process.exit(0)).resume();

const rig = JSON.parse(process.env.RIG_OPTIONS ?? "{}");
const server = http.createServer();
await new Promise((resolve, reject) => server.once("error", reject).listen(rig.port ?? 0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;

const people = rig.people ?? [];
const claims = { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] };

const provider = new Provider(url, {
	clients: rig.clients ?? [],
	claims,
	conformIdTokenClaims: !rig.claims,
	scopes: ["openid", "offline_access", "email", "profile"],
	pkce: { required: () => true },
	features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
	cookies: { keys: ["a key of the rig"] },
	findAccount: (_, sub) => {
		const person = people.find((one) => one.sub === sub);
		return person && { accountId: sub, claims: () => person };
	},
	interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
	ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 3600, Grant: 3600 },
});
provider.on("server_error", (_, error) => console.error(error));

const answer = provider.callback();
server.on("request", (request, response) => {
	const handle = request.url.startsWith("/interaction/") ? interaction : answer;
	Promise.resolve(handle(request, response)).catch((error) => {
		console.error(error);
		if (!response.headersSent) response.writeHead(500);
		response.end(String(error?.stack ?? error));
	});
});
console.log(JSON.stringify({ url }));

// interaction lets somebody in, and says yes to everything: by a form with one button a person, or at once where
// login_hint names one.
async function interaction(request, response) {
	const details = await provider.interactionDetails(request, response);
	const { prompt, params, session } = details;
	if (prompt.name === "consent") {
		const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
		grant.addOIDCScope(params.scope);
		return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
	}
	let chosen = params.login_hint;
	if (request.method === "POST") {
		let text = "";
		for await (const piece of request) text += piece;
		chosen = new URLSearchParams(text).get("sub");
		if (chosen === "nobody") {
			return provider.interactionFinished(request, response, { error: "access_denied", error_description: "said no" });
		}
	}
	const person = people.find((one) => one.sub === chosen || one.email === chosen);
	if (person) {
		return provider.interactionFinished(request, response, { login: { accountId: person.sub } });
	}
	const buttons = people.map((one) => `<button name="sub" value="${one.sub}">${one.name}</button>`).join("");
	response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
	response.end(`<!doctype html><title>Test provider</title><form method="post">${buttons}<button name="sub" value="nobody">Refuse</button></form>`);
}
