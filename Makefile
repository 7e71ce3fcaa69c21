# Everything a developer runs. `make` alone lists the targets.

GOLANGCI_LINT_VERSION := v2.15.0
# Beside the build cache, so that a fresh clone does not build the linter anew.
# It is of the Go it was built with: an older one refuses newer code.
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/layerd-tools
LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)-$(shell go env GOVERSION)
ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := $(TOOLS)/actionlint-$(ACTIONLINT_VERSION)-$(shell go env GOVERSION)
FUZZTIME ?= 5s
LONG ?= 60s
# The fuzz targets that read what others have written. Where the others draw
# worlds, tests draw some of them each time.
PARSERS := internal/window:FuzzParse internal/strictyaml:FuzzParse internal/desired:FuzzLoad \
	internal/daemon/config:FuzzLoad internal/desired/gitrepo:FuzzUnpack internal/desired/gitrepo:FuzzServer \
	internal/desired/gitrepo/knownhosts:FuzzRead
WORLDS ?= 1000000
LOAD ?= 1000 10000
CHAOS ?= each
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build ./layerd
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o layerd ./cmd/layerd

.PHONY: test
test: ## run the tests, and of the long ones a sample
	go test ./...

.PHONY: race
race: ## run the tests of all that is concurrent under the race detector
	go test -vet=off -race -short -timeout 30m $$(.ci/concurrent)

.PHONY: nightly
nightly: ## prove all: whole tests, races everywhere, second opinions, long fuzzing (an hour or two)
	CI=true LAYERD_NIGHTLY=1 LAYERD_ZONES=all go test -count=1 -timeout 3h ./...
	go test -race -short -timeout 60m ./...
	$(MAKE) -s fuzz

.PHONY: lint
lint: $(LINT) ## run the linter
	$(LINT) run ./...

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: generate
generate: ## write generated files anew
	go generate ./...

.PHONY: fuzz
fuzz: ## check the promises of reconcile over a million worlds, then fuzz for long
	LAYERD_WORLDS=$(WORLDS) go test -run TestWorlds -timeout 60m ./internal/reconcile
	@set -e; grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9_]*' $$file | sed 's/func //' | while read -r target; do \
			echo "$$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(LONG) $$(dirname $$file); \
		done; \
	done

.PHONY: fuzz-short
fuzz-short: ## fuzz the parsers for FUZZTIME each
	@set -e; for target in $(PARSERS); do \
		echo "$${target#*:} in $${target%:*}"; \
		grep -q "^func $${target#*:}(" $${target%:*}/*_test.go || { echo "there is no such target"; exit 1; }; \
		go test -vet=off -run '^$$' -fuzz "^$${target#*:}\$$" -fuzztime $(FUZZTIME) ./$${target%:*}; \
	done

.PHONY: chaos
chaos: ## kill the daemon at every call of the stories (CHAOS=8: one in eight), and print the matrices
	LAYERD_CHAOS=$(CHAOS) go test -count=1 -run '^TestChaos' -v -timeout 60m ./internal/daemon

.PHONY: chaos-fleet
chaos-fleet: ## the same with the demo's whole fleet, which takes an hour or two
	LAYERD_CHAOS=story go test -count=1 -run '^TestChaos$$' -v -timeout 6h ./internal/daemon

.PHONY: bench
bench: ## run the benchmarks, and a rollout over 1,000 functions
	go test -run '^$$' -bench . -benchmem ./...
	LAYERD_FLEET=1000 go test -count=1 -run '^TestFleetIsChangedAtTheRateThatIsAllowed$$' -v ./internal/round

.PHONY: load
load: ## measure the daemon beside LOAD functions: memory and processor time
	LAYERD_LOAD="$(LOAD)" go test -count=1 -timeout 3h -v -run '^TestLoad$$' ./cmd/layerd

.PHONY: demo
demo: ## play the story on a simulated AWS
	go run ./cmd/layerd demo --once

.PHONY: ci
ci: ## all that has to hold before a change lands
	.ci/run

.PHONY: workflows
workflows: $(ACTIONLINT) ## judge deploy/github as it is in a team's .github
	@set -e; as=$$(mktemp -d); trap 'rm -rf "$$as"' EXIT; \
		mkdir "$$as/.git" && cp -r deploy/github "$$as/.github" && cd "$$as" && $(ACTIONLINT)

.PHONY: tools
tools: $(LINT) $(ACTIONLINT) ## install the pinned linters, once for all clones

# Each is built by itself, as golangci-lint's authors advise: its dependencies are its
# own. Two clones may build it at once.
define install
@mkdir -p $(TOOLS)
@set -e; new=$$(mktemp -d $(TOOLS)/new.XXXXXX); trap 'rm -rf "$$new"' EXIT; \
	GOBIN=$$new go install $(1); mv "$$new"/* $@
endef

$(LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

$(ACTIONLINT):
	$(call install,github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION))

.PHONY: vuln
vuln: ## look for known vulnerabilities (needs the internet)
	go tool -modfile=tools/go.mod govulncheck ./...
