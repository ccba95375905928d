# Run a command with the Wine that setup.sh made in FOLDER, in this source tree: `bash tools/windows/wine.sh FOLDER COMMAND...`,
# as in `bash tools/windows/wine.sh FOLDER python -m sdv2_live doctor`.
#
# Its processes end with it, and its network is a loopback alone, as far as the system lets this user have either; with
# NETWORK=caller it is the caller's, where a program of Linux can reach it. Commands of one folder wait for each other: a Wine cannot
# be served in two process namespaces.
set -euo pipefail
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DIR=$(cd "$1" && pwd)
shift
[ -d "$DIR/root" ] && SEEN=/project HOME_OF_WINE=/windows || { SEEN=$PROJECT HOME_OF_WINE=$DIR; } # as Wine sees them
export PROJECT DIR SEEN
export WINEPREFIX=$HOME_OF_WINE/prefix WINEDEBUG=${WINEDEBUG:--all}
export WINEDLLOVERRIDES=${WINEDLLOVERRIDES-ucrtbase=n}             # the runtime that ucrt.py made
export PYTHONPATH="Z:${SEEN//\//\\}"
export XDG_RUNTIME_DIR=/tmp
export KMP_AFFINITY=disabled OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # Wine tells OpenMP of no processors
export ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16                         # Linux keeps AMX from who does not ask: Windows' PyTorch does not

[ "$1" != python ] || set -- wine "$HOME_OF_WINE/py/python.exe" "${@:2}"

exec 9>"$DIR/lock"
flock --nonblock 9 || { echo "wine.sh: waiting for another command that uses $DIR" >&2 && flock 9; }

inside() {
    set -e
    ip link set lo up 2>/dev/null || true
    if [ -d "$DIR/root" ]; then
        mount -t proc proc "$DIR/root/proc"
        mount --bind /dev "$DIR/root/dev"
        mount --bind "$DIR" "$DIR/root/windows"
        mount --bind "$PROJECT" "$DIR/root/project"
        chroot "$DIR/root" env HOME=/root bash -c 'cd "$SEEN" && exec "$@"' bash "$@"
    else
        cd "$PROJECT" && "$@"
    fi
}
export -f inside

spaces=(--mount --pid --fork --kill-child)
[ "${NETWORK:-own}" = caller ] || spaces+=(--net)
[ "$(id -u)" = 0 ] || spaces+=(--map-root-user --mount-proc)
if unshare "${spaces[@]}" true 2>/dev/null; then
    exec unshare "${spaces[@]}" bash -c 'inside "$@"' bash "$@"
fi
[ ! -d "$DIR/root" ] || { echo "wine.sh: the Wine in $DIR/root is for root alone" >&2 && exit 1; }
inside "$@"
