# The commands of the house. README.md says what each one is for.
.PHONY: run test generate lint bench chaos

run:
	go run ./cmd/xuangate dev

test: lint
	go test -race ./...

generate:
	go generate ./gen

lint:
	@.ci/lint

bench:
	go test -run '^$$' -bench . ./test/bench/...

chaos:
	go test -race -count=1 -timeout 0 -v ./test/chaos -seed $(or $(SEED),0) -rounds $(or $(ROUNDS),10)
