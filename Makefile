# Two commands are all a newcomer needs: `make demo` and `make test`.

CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/retain
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ARGS    ?=

.DEFAULT_GOAL := build
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: help build engine demo test test-native notebooks race lint bench bench-world bench-features bench-boost bench-tournament bench-uplift bench-policy loop

build: engine ## bin/retain, and beside it bin/libchdb.so, a link into the cache
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/retain ./cmd/retain
	@ln -sfn "$$(readlink -f $(CACHE)/libchdb.so)" bin/libchdb.so

engine: ## the embedded ClickHouse, from npm, pinned by internal/chdb/engine/package-lock.json
	@scripts/install-engine

demo: build ## simulates a company, trains, scores, prints the at-risk list and serves; ARGS=--once does not serve, ARGS="--dataset cdnow" shows real data
	bin/retain demo $(ARGS)

test: build ## everything the tests need, then all of them
	@scripts/test

test-native: engine ## the clickhouse:// courtesy path against Debian's clickhouse-server
	@scripts/test-native

notebooks: build ## runs the notebooks from top to bottom; ARGS=--write keeps their outputs
	@scripts/notebooks $(ARGS)

race: engine ## the concurrent packages under the race detector
	go test -race -timeout 20m ./internal/chdb ./internal/warehouse ./serving/... ./models/actions ./models/boost/... ./models/linear/... ./models/offpolicy ./models/uplift ./training/...
	go test -race -short ./pipelines -run 'Ledger|Night|Schedule|Cron|Watch|Simulate|Timeline|Stages'
	go test -race ./features -run 'Snapshot|Lives'

lint: ## go vet, gofmt and golangci-lint
	go vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these' >&2; exit 1; }
	@test -x $(CACHE)/bin/golangci-lint-$(lastword $(subst @, ,$(LINT))) || { echo "building golangci-lint into $(CACHE)/bin" && \
	  GOFLAGS= GOBIN=$(CACHE)/bin go install $(LINT) && mv $(CACHE)/bin/golangci-lint $(CACHE)/bin/golangci-lint-$(lastword $(subst @, ,$(LINT))); }
	$(CACHE)/bin/golangci-lint-$(lastword $(subst @, ,$(LINT))) run ./...

bench: engine ## the short benchmarks, once each
	go test -run '^$$' -bench . -skip 'KnownWorld|NullWorld|Features|Coverage|Tournament/rows=(200000|1000000)' -benchtime 1x ./...

bench-world: engine ## what the models recover of the known world, at 3,000 (5 seeds) and 20,000 customers; half an hour
	go test -run '^$$' -bench KnownWorld -benchtime 1x -timeout 2h ./cmd/retain

bench-features: engine ## CPU of feature SQL against the barest scan; RETAIN_BENCH_SIZE=A|B|S, RETAIN_BENCH_DIR=DIR keeps the history
	go test -run '^$$' -bench Features -benchtime 1x -timeout 120m ./features

bench-tournament: ## CPU and memory of a training against one boosted model, up to a million rows of 60 columns; half an hour
	go test -run '^$$' -bench Tournament -benchtime 1x -timeout 2h -v ./training

bench-uplift: ## what uplift learners reach of the known world's oracle at 40,000 customers (worlds 1 to 5, or RETAIN_BENCH_WORLDS=107-120), and in 20 worlds without effects; some 20 CPU minutes, with RETAIN_BENCH_TREES=1 the learners with trees, too
	go test -run '^$$' -bench 'KnownWorld|NullWorld' -benchtime 1x -timeout 2h -v ./models/uplift

bench-policy: ## how often the 95 % intervals of off-policy evaluation hold the truth, over 500 logs of 2,000 customers and of 400 with ten choices each; a minute
	@go test ./models/offpolicy -run '^$$' -bench BenchmarkCoverage -benchtime 1x -timeout 60m

bench-boost: ## boosted trees against XGBoost, scikit-learn and LightGBM on the same tables; an hour; ARGS="-n 200000 -t 50" is short
	@scripts/bench-boost $(ARGS)

loop: ## score, decide and learn in the known world, against a fixed prior and an oracle: 20 seeds, 6 CPU minutes; ARGS="-seeds 4" is shorter
	go run ./scripts/loop -picture docs/images/next-best-action.png $(ARGS)
