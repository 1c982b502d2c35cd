# Makes the private environment, or brings it up to date: setup.sh PYTHON VENV READY
# uv comes from PyPI by hash, and everything else by hash through uv.
set -eu
wanted=$1 venv=$2 ready=$3

supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

python=
for candidate in "$wanted" $([ "$wanted" != python3 ] || echo python3.12 python3.11 python3.10); do
  if supported "$candidate"; then python=$candidate && break; fi
done
if [ -z "$python" ]; then
  found=$("$wanted" --version 2>&1) || found='nothing that runs'
  echo "No Python 3.10, 3.11 or 3.12: '$wanted' is $found." >&2
  echo 'Install one of them, or name it: make setup PYTHON=/path/to/python3.12' >&2
  exit 1
fi

about="$(pwd -P) $("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)')"
if [ "$(cat "$venv/.python" 2>/dev/null)" != "$about" ]; then
  echo "==> $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || {
    echo "'$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  }
  echo '==> uv'
  "$venv/bin/python" -m pip install --quiet --no-input --require-hashes -r requirements/uv.txt
  echo "$about" >"$venv/.python"
fi
uv() { "$venv/bin/uv" --quiet "$@" --python "$venv/bin/python"; }
echo "==> $(grep -c '^[a-z].*==' requirements/dev.txt) locked packages, with byte-code"
uv pip sync --require-hashes --compile-bytecode requirements/uv.txt requirements/dev.txt
echo '==> llmops-actions itself, editable'
uv pip install --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m compileall -q src

rm -f "$venv"/.ready-*
: >"$ready"
