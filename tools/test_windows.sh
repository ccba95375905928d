# Run the tests under Windows' Python, by Wine: `bash tools/test_windows.sh [--short | --ci] [PART...]`.
#
#   --short   a show from its start to its end, in a few minutes
#   --ci      the same where Wine is set up already; nothing elsewhere
#   PART      of these alone, as in `io takes`: folders of the tests, or `loose` for the files that are in none
#
# Wine and its Python are in the folder $SDV2_WINDOWS, or in the user's cache, and are made there first (tools/windows/setup.sh).
# A part has $LIMIT seconds, 20 minutes unless told otherwise; what it said is kept in the folder's `logs`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
WINDOWS=${SDV2_WINDOWS:-${XDG_CACHE_HOME:-$HOME/.cache}/sdv2-live-windows}

if [ "${1:-}" = --ci ]; then
    [ -f "$WINDOWS/ready" ] || { echo "Windows: not tried, there is no Wine in $WINDOWS (tools/test_windows.sh sets it up)" && exit; }
    set -- --short
fi
bash tools/windows/setup.sh "$WINDOWS"
exec "$WINDOWS/tools/bin/python" tools/windows/parts.py --limit "${LIMIT:-1200}" "$WINDOWS" "$@"
