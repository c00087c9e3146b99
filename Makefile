.DEFAULT_GOAL := help
SHELL := /bin/bash

# A package's tests run real databases, proxies and a browser: ten minutes at most on a machine of their own.
TIMEOUT := 30m
CORE := ./gate/... ./betterauth/... ./extauthz/... ./forwardauth/... ./store/...
FUZZTIME := 5s

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: parts
parts: ## install or build what the tests run against: proxies, databases, a browser, Better Auth
	@deploy/e2e/parts/install.sh

.PHONY: build
build: ## bin/usher
	CGO_ENABLED=0 go build -trimpath -o bin/usher ./cmd/usher

.PHONY: demo
demo: ## the whole thing in one process, with nothing installed
	@go run ./cmd/usher demo

.PHONY: test
test: parts ## every check and every test, against real parts
	go vet ./...
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	go test -timeout $(TIMEOUT) ./...

.PHONY: race
race: parts ## the core packages under the race detector
	go test -race -timeout $(TIMEOUT) $(CORE)

.PHONY: e2e
e2e: parts ## only the end-to-end tests, through real proxies
	go test -timeout $(TIMEOUT) ./deploy/e2e/...

OUTAGE := 30s

.PHONY: outage
outage: parts ## every fault of docs/failure-modes.md, each for OUTAGE (30s) under load, and a table of them
	USHER_OUTAGE=$(OUTAGE) go test -timeout 60m -v -run 'Fails|ALongerMemory' ./deploy/e2e

.PHONY: bench
bench: parts ## benchmarks of the request path and of signing in, as ratios within one run
	go test -run '^$$' -bench . -benchmem ./gate ./betterauth ./extauthz ./forwardauth ./store/... ./oauth ./deploy/load

.PHONY: load
load: parts ## the figures of docs/performance.md: the real thing under load, a quarter of an hour; LOAD="-quick -only 1,9" for less
	go test -timeout 30m -v -run TestFigures ./deploy/load -args -figures $(LOAD)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (5s)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's|/[^/]*:func | |' | sort -u | while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; \
	done

.PHONY: lint
lint: ## staticcheck and gofumpt, from tools/go.mod
	go tool -modfile=tools/go.mod staticcheck ./...
	@unformatted=$$(go tool -modfile=tools/go.mod gofumpt -l .); if [ -n "$$unformatted" ]; then echo "not gofumpt-ed:"; echo "$$unformatted"; exit 1; fi
