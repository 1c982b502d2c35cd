# Builds one pinned Go program into .cache/bin: go_install.sh MODULE@VERSION STAMP
set -eu
module=$1 stamp=$2
if ! command -v go >/dev/null; then
  echo "Go is needed to build $module. Install Go, then: make tools" >&2
  exit 1
fi
echo "==> $module"
log=.cache/go_install.log
mkdir -p .cache/bin
GOBIN="$(pwd -P)/.cache/bin" GOFLAGS=-buildvcs=false go install "$module" >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
: >"$stamp"
