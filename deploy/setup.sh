#!/bin/sh
# Sets up .venv with the pinned packages: `deploy/setup.sh .` to run, `deploy/setup.sh '.[dev]'` to test as well.
set -eu
cd "$(dirname "$0")/.."
what=${1:-.}

for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "Python 3.11 or newer is needed. Install it, or name it: make run PYTHON=/path/to/python3.12" >&2
    exit 2
fi

if [ ! -x .venv/bin/pip ]; then
    echo "Setting up .venv with $("$python" --version) ..."
    if ! "$python" -m venv .venv 2>/dev/null; then
        # Debian and Ubuntu package the venv module apart from Python itself.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
        else
            echo "Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
            exit 2
        fi
        "$python" -m venv --clear .venv
    fi
fi

.venv/bin/pip install --quiet --disable-pip-version-check -c deploy/requirements.lock -e "$what"
touch .venv/run.stamp
case $what in *dev*) touch .venv/dev.stamp ;; esac
