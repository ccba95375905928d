# Set up, then show what sdv2-live does: `bash tools/demo.sh [--seconds N]`. Ctrl-C stops it. See sdv2_live/demo.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$BIN/python" tools/demo.py "$@"
