# Checks workflows and actions: lint_workflows.sh BIN 'WORKFLOWS' 'ACTIONS'
set -eu
bin=$1 workflows=$2 actions=$3

if [ -n "$workflows$actions" ]; then
  echo '==> zizmor'
  "$bin/zizmor" --pedantic --offline --quiet $workflows $actions
fi
if [ -n "$workflows" ]; then
  echo '==> check-jsonschema: workflows'
  "$bin/check-jsonschema" --builtin-schema vendor.github-workflows $workflows
fi
if [ -n "$actions" ]; then
  echo '==> check-jsonschema: actions'
  "$bin/check-jsonschema" --builtin-schema vendor.github-actions $actions
fi
if [ -n "$workflows" ]; then
  if command -v actionlint >/dev/null; then
    echo '==> actionlint'
    actionlint $workflows
  else
    echo '==> actionlint is not here: make tools (needs Go)'
    [ "${LLMOPS_TEST_ALL:-}" != 1 ]
  fi
fi
