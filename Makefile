# Rapport. `make demo` runs it, `make test` checks everything; the other targets are parts of these.
SHELL := /bin/bash
GO ?= go
ADDR ?= 127.0.0.1:8080
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)

.PHONY: demo build test unit race lint web browser bench prove fuzz clean help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | sort

# The classifiers of the shipped packs, trained from their sentences, so that an empty
# server is ready at once. A build without them trains at its first start instead.
MODELS := packs/base/model.bin
$(MODELS): $(shell find packs -name '*.yaml') $(shell find need -name '*.go' ! -name '*_test.go') pack/shipped.go pack/content.go pack/file.go
	@echo "training the classifiers of the shipped packs"
	@rm -f packs/*/model.bin; $(GO) test ./pack -count 1 -run TestShippedClassifiersAreFresh -retrain >/dev/null
	@touch $@

build: $(MODELS) ## build bin/rapport (Go alone; the web build is committed)
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/rapport ./cmd/rapport

demo: build ## build what is missing, start the server with seeded demo workspaces in an empty temporary folder
	@exec bin/rapport demo --addr $(ADDR)

test: ## every check and every test
	@scripts/test.sh

unit: ## Go tests without the race detector
	$(GO) test ./...

race: ## Go tests with the race detector
	@scripts/race.sh

lint: ## format, vet, staticcheck
	@scripts/lint.sh

web: ## install the front end's packages and rebuild the committed web build
	cd web && npm ci --no-audit --no-fund && npm run build

browser: build ## tests in real Chromium
	@scripts/browser.sh

bench: ## benchmarks: CPU time a unit, and the ratio to a bare loop of the same run
	@scripts/bench.sh

prove: ## the large counts of the promises (hours): same code as the tests' samples
	RAPPORT_PROVE=1 $(GO) test -timeout 6h -count 1 ./...

clean: ## remove what was built
	rm -rf bin web/node_modules
