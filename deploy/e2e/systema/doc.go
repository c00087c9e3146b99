// Package systema does docs/fastapi.md as it says, with the real Better Auth, FastAPI, Traefik and Envoy, and then looks at
// what it made: rows of people and organizations in the backend's own tables, seen by a backend that believes two headers.
package systema
