#!/usr/bin/env bash
# Generates a TypeScript and a Python client from openapi/ringbook.json, in clients/ (which git ignores): `make clients`.
#
# It needs node 20 and python 3.11 or newer, which it installs on a bare Debian. It also installs the generators, in the
# versions that tests/clients pins. It writes clients/typescript (fetch, no dependency) and clients/python (httpx).
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/need.sh
need node nodejs npm npm python3 python3
python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv python3-venv

(cd tests/clients && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
[ -x tests/clients/.venv/bin/python ] || python3 -m venv tests/clients/.venv
tests/clients/.venv/bin/pip install --quiet --disable-pip-version-check --require-virtualenv --requirement tests/clients/requirements.txt

rm -rf clients
mkdir clients
(cd tests/clients && npx openapi-ts --silent --input ../../openapi/ringbook.json --output ../../clients/typescript \
    --plugins @hey-api/client-fetch @hey-api/sdk @hey-api/typescript)
PATH="$PWD/tests/clients/.venv/bin:$PATH" openapi-python-client generate --path openapi/ringbook.json --meta none \
    --config tests/clients/openapi-python-client.yaml --output-path clients/python/ringbook_client --fail-on-warning
echo "clients/typescript and clients/python are generated"
