# Checks workflows and actions with zizmor, check-jsonschema and actionlint, without network: lint_workflows.sh BIN
set -eu
bin=$1
workflows=$(ls .github/workflows/*.yml workflows-templates/*.yml 2>/dev/null || true)
# What consumers write, for the tests: their references are not pinned, on purpose.
consumers=$(ls tests/data/consumer/.github/workflows/*.yml 2>/dev/null || true)
actions=$(ls action.yml actions/*/action.yml 2>/dev/null || true)

if [ -n "$workflows$actions" ]; then
  echo '==> zizmor'
  "$bin/zizmor" --pedantic --offline --quiet $workflows $actions $(ls .github/dependabot.yml 2>/dev/null || true)
fi
if [ -n "$actions" ]; then
  echo '==> check-jsonschema: actions'
  "$bin/check-jsonschema" --quiet --builtin-schema vendor.github-actions $actions
fi
if [ -f .github/dependabot.yml ]; then
  echo '==> check-jsonschema: dependabot'
  "$bin/check-jsonschema" --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
fi
if [ -n "$workflows" ]; then
  echo '==> check-jsonschema: workflows'
  "$bin/check-jsonschema" --quiet --builtin-schema vendor.github-workflows $workflows $consumers
  if command -v actionlint >/dev/null; then
    echo '==> actionlint'
    actionlint $workflows $consumers
  else
    echo '==> actionlint: skipped, it is not here. It comes with `make tools` (needs Go).'
    [ "${LLMOPS_TEST_ALL:-}" != 1 ]
  fi
fi
