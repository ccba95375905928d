# Make .venv ready: `bash tools/setup.sh`, or sourced by the other scripts here, to which it gives $BIN.
#
# It finds a Python and leaves the rest to tools/setup.py, which says what is installed and from where. To choose otherwise:
# PYTHON=python3.12 (interpreter), TORCH_INDEX=https://download.pytorch.org/whl/cu132 (PyTorch's index).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python} .venv/bin/python .venv/Scripts/python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: Python 3.11 to 3.14 is needed (looked for ${PYTHON:-python3}); install it, or name it:" \
        "PYTHON=/path/to/python3" >&2
    return 1
}

FOUND=$(find_python)
"$FOUND" tools/setup.py
BIN="$PWD/.venv/$([ -d .venv/Scripts ] && echo Scripts || echo bin)"
