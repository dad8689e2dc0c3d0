# The commands of the house. README.md says what each one is for.
.PHONY: run test generate lint web bench chaos soak fuzz release

run:
	go run ./cmd/xuangate dev

test: lint
	go test -race -timeout 30m ./...
	@.ci/npm sdk/typescript
	npm --prefix sdk/typescript test --silent

generate:
	go generate ./gen
	@.ci/npm sdk/typescript
	npm --prefix sdk/typescript run generate --silent

lint:
	@.ci/lint

web:
	@.ci/npm sdk/typescript
	npm --prefix sdk/typescript run build:web --silent

bench:
	go test -run '^$$' -bench . ./test/bench/...

chaos:
	go test -race -count=1 -timeout 0 -v ./test/chaos -seed $(or $(SEED),0) -rounds $(or $(ROUNDS),10)

soak:
	go test -run '^TestSoak$$' -count=1 -timeout 0 -v ./test/soak -minutes $(or $(MIN),30)

fuzz:
	@.ci/fuzz "$(MIN)"

release:
	@.ci/release "$(VERSION)"
