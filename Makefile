# make test    runs all tests and checks; sets up a private PostgreSQL if there is none
# make verify  runs the slower checks in scripts/verify/ against a release build
# make faults  kills, disconnects and starves the program on purpose for about an hour, and writes docs/fault-report.md
# make bench   measures reports per second beside PostgreSQL alone and a peer in Node, and a decision; writes docs/benchmarks.md
# make growth  measures requests of the admin API on a database with 1,000,000 calls (20 GB of disk, half an hour)
# make hearing measures how well the sample rulebook understands labelled calls, and writes docs/hearing-results.md
# make learn   learns the sample's classifiers from the development half of the labelled calls
# make run     starts the server
# make clients generates a TypeScript and a Python client in clients/
# make examples records responses from the tests as the examples of the OpenAPI document
# make released  copies the OpenAPI document to openapi/released.json, at a release (docs/developer.md, "Release")

.PHONY: run test verify faults bench growth hearing learn clients examples released

run:
	cargo run --release

test:
	scripts/with-postgres.sh scripts/check.sh

verify:
	scripts/with-postgres.sh scripts/verify.sh

faults:
	RINGBOOK_POSTGRES_DURABLE=1 scripts/with-postgres.sh scripts/faults.sh

clients:
	scripts/clients.sh

bench:
	scripts/bench.sh

growth:
	RINGBOOK_POSTGRES_DURABLE=1 scripts/with-postgres.sh cargo bench --locked --bench growth

hearing:
	scripts/hearing.sh

learn:
	cargo run --locked --quiet -- learn --rules rules tests/data/calls/development.jsonl

examples:
	RINGBOOK_KEEP_ANSWERS=$(CURDIR)/src/admin/src/document/examples/answered.json scripts/with-postgres.sh cargo test --locked --test it -- --skip examples::
	cargo run --quiet --locked -- openapi >openapi/ringbook.json

released:
	cp openapi/ringbook.json openapi/released.json
