# Set up, then show what sdv2-live does: `bash tools/demo.sh [--seconds N]`. Ctrl-C stops it. See tools/demo/main.py.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$BIN/python" tools/demo.py "$@"
