#!/bin/sh
# Prints a Python that can make the environment, or says what is missing. Usage: find_python.sh [PYTHON]
#
# The constraints were resolved on 3.11, so that one is preferred where there are several.
[ -n "${1:-}" ] || set -- python3.11 python3.12 python3.13 python3 python
found=""
for python in "$@"; do
    version=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        found="$found $python is Python $version: too old."
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        found="$found $python (Python $version) has no venv module: on Debian and Ubuntu, apt-get install python3-venv."
    else
        command -v "$python"
        exit 0
    fi
done
found="${found:- None of these is installed.}"
{
    echo "np_widgets needs Python 3.11 or newer with venv and pip, and there is none among: $*."
    echo "${found# }"
    echo "Install one, or name yours: make PYTHON=/path/to/python ..."
} >&2
exit 1
