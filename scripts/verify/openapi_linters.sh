#!/usr/bin/env bash
# Proves: Redocly and Spectral, with the rules that they recommend, find no error and no warning in openapi/ringbook.json.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need npm npm node nodejs
cd tests/openapi
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
export REDOCLY_TELEMETRY=off
# Redocly's exit status only covers errors; its totals include warnings.
npx redocly lint --config redocly.yaml --format json ../../openapi/ringbook.json >redocly.out
node -e '
  const { totals, problems } = JSON.parse(require("fs").readFileSync("redocly.out", "utf8"));
  for (const problem of problems) console.log(`${problem.severity} ${problem.ruleId}: ${problem.message} ${problem.location[0]?.pointer}`);
  console.log(`Redocly: ${totals.errors} errors, ${totals.warnings} warnings`);
  process.exit(totals.errors + totals.warnings > 0 ? 1 : 0);
'
npx spectral lint --ruleset spectral.yaml --fail-severity hint ../../openapi/ringbook.json
echo "Spectral: no error, no warning, no hint"
