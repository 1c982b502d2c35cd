# Builds one pinned Go program into .cache/bin: go_install.sh MODULE@VERSION
set -eu
if ! command -v go >/dev/null; then
  echo "Go is needed to build $1. Install Go, then: make tools" >&2
  exit 1
fi
echo "==> $1"
GOBIN="$(pwd -P)/.cache/bin" GOFLAGS=-buildvcs=false go install "$1"
