# Resolves the locked requirements anew: lock.sh UV [--upgrade …]
# One resolution, the widest, holds for all three: the two others may only choose from it. No address of a registry is written.
set -eu
uv=$1
shift
more=$*

lock() {
  output=$1
  shift
  echo "==> requirements/$output"
  "$uv" pip compile --quiet --no-config --universal --python-version 3.10 --generate-hashes --no-annotate --no-emit-index-url \
    --custom-compile-command 'make lock' --output-file "requirements/$output" $more "$@"
}

lock uv.txt requirements/uv.in
lock azure.txt pyproject.toml --extra azure --extra parquet
lock runtime.txt pyproject.toml --constraints requirements/azure.txt
lock dev.txt pyproject.toml --extra parquet requirements/dev.in --constraints requirements/azure.txt
