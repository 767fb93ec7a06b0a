# make test    sets up what is missing (a private PostgreSQL) and runs everything
# make verify  runs the slower proofs in scripts/verify/ against a release build
# make bench   measures: the report path against the database alone, and a decision
# make run     starts the server

.PHONY: run test verify bench

run:
	cargo run --release

test:
	scripts/with-postgres.sh scripts/check.sh

verify:
	scripts/with-postgres.sh scripts/verify.sh

bench:
	scripts/bench.sh
