# make test    sets up what is missing (a private PostgreSQL) and runs everything
# make verify  runs the slower proofs in scripts/verify/ against a release build
# make run     starts the server

.PHONY: run test verify

run:
	cargo run --release

test:
	scripts/with-postgres.sh scripts/check.sh

verify:
	scripts/with-postgres.sh scripts/verify.sh
