# The five commands of the house. README.md says what each one is for.
.PHONY: run test generate lint bench

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
