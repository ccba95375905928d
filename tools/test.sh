# Set up, then run the tests: `bash tools/test.sh [PYTEST OPTIONS]`, as in `bash tools/test.sh -m slow`. Without options it is the
# default suite, on several cores where that can be; a file's tests stay together, as they share what is dear to start.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# The tests' tensors are small: threads that wait for each other cost more than they do, ten times so on a busy machine.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
[ $# -gt 0 ] || set -- --numprocesses auto --dist loadfile
exec "$BIN/python" -m pytest "$@"
