// The real Better Auth as a process, for Usher's tests.
//
// Everything it should do differently comes in RIG_OPTIONS, a JSON object:
//
//   version           "1.7" (default) or "1.4"
//   database          postgres://… or sqlite:///path
//   redis             redis://…: sessions in Redis too, through Better Auth's own adapter
//   redisPrefix       before every key, also ""; default: the adapter's own
//   secret, baseURL, trustedOrigins, cookiePrefix, useSecureCookies, generateId ("uuid", "serial")
//   expiresIn         session lifetime in seconds
//   requireSignature  of the bearer plugin
//   skipMigrations    leave the tables as they are
//   without           plugins to leave out, of organization, bearer and admin
//   port              where to listen
//   generic           providers of the generic OAuth plugin: [{providerId, discoveryUrl, clientId, clientSecret, …}]
//   hosts             where to find hosts that a test stands in for: {"oauth2.googleapis.com": "http://127.0.0.1:1234"}
//   options           any other Better Auth option that JSON can say, merged over the rest
//
// It prints one JSON line, {"url": …}, when it answers, and lives as long as its standard input is open:
// a test that dies cannot leave it behind.
//
// POST /rig/call and /rig/role do what Better Auth lets only server code do; see below.
import http from "node:http";
import { Redis } from "ioredis";
import { SqliteDialect } from "kysely";
import Database from "libsql";
import pg from "pg";
import { redisStorage } from "@better-auth/redis-storage";

process.stdin.on("close", () => process.exit(0)).on("error", () => process.exit(0)).resume();

// Not "test": Better Auth switches its origin checks off there.
process.env.NODE_ENV = "production";
process.env.BETTER_AUTH_TELEMETRY = "0";

const rig = JSON.parse(process.env.RIG_OPTIONS ?? "{}");
const server = http.createServer();
await new Promise((resolve, reject) => server.once("error", reject).listen(rig.port ?? 0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;

// Providers have their hosts' names built in; a test that stands in for one is asked instead.
const fetchFrom = globalThis.fetch;
globalThis.fetch = (input, init) => {
	const target = new URL(input instanceof Request ? input.url : input);
	const instead = rig.hosts?.[target.host];
	if (!instead) return fetchFrom(input, init);
	const moved = new URL(target.pathname + target.search, instead);
	return fetchFrom(input instanceof Request ? new Request(moved, input) : moved, init);
};

const better = await load(rig.version ?? "1.7");
const auth = better.betterAuth(options());
if (!rig.skipMigrations) {
	const { runMigrations } = await better.getMigrations(auth.options);
	await runMigrations();
}

const answer = better.toNodeHandler(auth);
server.on("request", (request, response) => {
	const handle = request.url.startsWith("/rig/") ? serverOnly : answer;
	Promise.resolve(handle(request, response)).catch((error) => {
		console.error(error);
		if (!response.headersSent) response.writeHead(500);
		response.end(String(error?.stack ?? error));
	});
});
console.log(JSON.stringify({ url }));

async function load(version) {
	switch (version) {
		case "1.7":
			return {
				...(await import("better-auth-1-7")),
				...(await import("better-auth-1-7/node")),
				...(await import("better-auth-1-7/plugins")),
				...(await import("better-auth-1-7/db/migration")),
			};
		case "1.4":
			return {
				...(await import("better-auth-1-4")),
				...(await import("better-auth-1-4/node")),
				...(await import("better-auth-1-4/plugins")),
				...(await import("better-auth-1-4/db")),
			};
		default:
			throw new Error(`version ${version}: the rig has 1.7 and 1.4`);
	}
}

function options() {
	const { organization, bearer, admin, genericOAuth } = better;
	const base = {
		database: database(rig.database),
		secret: rig.secret,
		baseURL: rig.baseURL ?? url,
		trustedOrigins: rig.trustedOrigins ?? [],
		emailAndPassword: { enabled: true },
		rateLimit: { enabled: false },
		session: drop({ expiresIn: rig.expiresIn }),
		advanced: drop({
			cookiePrefix: rig.cookiePrefix,
			useSecureCookies: rig.useSecureCookies,
			database: drop({ generateId: rig.generateId }),
		}),
		plugins: [
			organization({ teams: { enabled: true } }),
			bearer(drop({ requireSignature: rig.requireSignature })),
			admin(),
			...(rig.generic ? [genericOAuth({ config: rig.generic })] : []),
		].filter((plugin) => !rig.without?.includes(plugin.id)),
	};
	if (rig.redis) base.secondaryStorage = redisStorage({ client: new Redis(rig.redis), ...drop({ keyPrefix: rig.redisPrefix }) });
	return merge(base, rig.options ?? {});
}

function database(url) {
	if (url?.startsWith("postgres")) {
		const pool = new pg.Pool({ connectionString: url });
		// Without a listener, a database that goes away while a connection is idle would end this process.
		pool.on("error", (error) => console.error(`database: ${error.message}`));
		return pool;
	}
	if (url?.startsWith("sqlite://")) {
		// libsql, not better-sqlite3: its binary is an npm package, so nothing is compiled or downloaded from elsewhere.
		const file = new Database(url.slice("sqlite://".length));
		file.pragma("journal_mode = WAL");
		file.pragma("busy_timeout = 5000");
		// A dialect by name: the kind of a libsql object is not one that Better Auth recognises.
		return { dialect: new SqliteDialect({ database: file }), type: "sqlite" };
	}
	throw new Error(`database ${url}: expected postgres://… or sqlite:///path`);
}

// serverOnly: /rig/call {"name", "arguments"} calls auth.api[name](arguments), /rig/role {"userId", "role"} sets
// user.role, which nobody can do from outside before there is a first administrator.
async function serverOnly(request, response) {
	let text = "";
	for await (const piece of request) text += piece;
	const body = JSON.parse(text);
	let result;
	if (request.url === "/rig/call") {
		result = await auth.api[body.name](body.arguments);
	} else if (request.url === "/rig/role") {
		const context = await auth.$context;
		result = await context.internalAdapter.updateUser(body.userId, { role: body.role });
	} else {
		throw new Error(`no route ${request.url}`);
	}
	response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result ?? null));
}

// drop removes the undefined members: an option that is present but undefined does not always mean its default.
function drop(object) {
	return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function merge(base, over) {
	const plain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
	const merged = { ...base };
	for (const [key, value] of Object.entries(over)) {
		merged[key] = plain(value) && plain(base[key]) ? merge(base[key], value) : value;
	}
	return merged;
}
