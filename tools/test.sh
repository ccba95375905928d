# Set up, then run the tests: `bash tools/test.sh [PYTEST OPTIONS]`, as in `bash tools/test.sh -m slow`.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$BIN/python" -m pytest "$@"
