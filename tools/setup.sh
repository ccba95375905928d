# Make .venv ready: `bash tools/setup.sh`, or sourced by the other scripts here, to which it gives $BIN.
#
# A second run is instant: a stamp in .venv remembers what was installed from. PyTorch comes first, so that the dependency
# in pyproject.toml never chooses the build:
#   with an NVIDIA driver   the CUDA build: PyPI's on Linux, PyTorch's own index on Windows
#   without one             the CPU build: what pip finds for $TORCH by itself where that is a "+cpu" wheel (a mirror or a
#                           wheel folder may hold one) or the system is macOS; else from PyTorch's CPU index; where that cannot
#                           be reached, PyPI's build, which is larger and does as well
# To choose otherwise: PYTHON=python3.12 (interpreter), TORCH_INDEX=https://download.pytorch.org/whl/cu128 (PyTorch's index).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TORCH="torch==2.13.0"
CPU_INDEX="https://download.pytorch.org/whl/cpu"
CUDA_INDEX="https://download.pytorch.org/whl/cu126"

REACH="check the network; behind a proxy set HTTPS_PROXY, for a mirror PIP_INDEX_URL, for a folder of wheels PIP_FIND_LINKS"

fail() {
    echo "setup: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed (looked for ${PYTHON:-python3}); install it, or name it: PYTHON=/path/to/python3"
}

make_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        fail "this Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" \
            "(for another than the system's Python, such as 3.12: python3.12-venv)"
    fi
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

pip() {
    "$BIN/python" -m pip "$@"
}

has_torch() { # whether a PyTorch is installed that does for $BUILD; on the CPU every build does
    "$BIN/python" - "$BUILD" <<'PY' 2>/dev/null
import sys
import torch
release = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
sys.exit(release < (2, 6) or (sys.argv[1] == "cuda" and torch.version.cuda is None))
PY
}

resolves_to_cpu() { # whether pip's own sources hold a CPU wheel of $TORCH; nothing is installed
    local report
    report=$(pip install --dry-run --ignore-installed --no-deps --quiet --report - "$TORCH" 2>/dev/null) || return 1
    "$BIN/python" -c 'import json, sys; sys.exit(not json.load(sys.stdin)["install"][0]["metadata"]["version"].endswith("+cpu"))' \
        <<<"$report"
}

install_torch() {
    if has_torch; then
        return
    fi
    echo "setup: installing PyTorch, $BUILD build ($([ "$BUILD" = cuda ] && echo "some gigabytes" || echo "some 200 MB"))"
    local index=${TORCH_INDEX:-}
    local wanted=$TORCH
    if [ "$BUILD" = cuda ]; then
        wanted=torch
        case "$(uname -s)" in MINGW* | MSYS* | CYGWIN*) index=${index:-$CUDA_INDEX} ;; esac
    elif [ -z "$index" ] && [ "$(uname -s)" != Darwin ] && ! resolves_to_cpu; then
        index=$CPU_INDEX
    fi
    install_build "$wanted" "$index" || second_way "$wanted" "$index" ||
        fail "PyTorch could not be installed, see pip's message above; $REACH; a mirror of PyTorch's index: TORCH_INDEX=URL"
    has_torch || fail "pip installed a PyTorch that does not fit this machine ($BUILD);" \
        "name an index that has it: TORCH_INDEX=$([ "$BUILD" = cuda ] && echo "$CUDA_INDEX" || echo "$CPU_INDEX")"
}

install_build() { # PACKAGE INDEX: empty for pip's own sources
    # --force-reinstall since to pip the builds are one version: it would keep the one that is there
    pip install $([ "$BUILD" = cuda ] || echo -qq) ${2:+--index-url "$2"} --force-reinstall "$1"
}

second_way() { # PACKAGE INDEX: where the first did not give it, and nobody chose it
    local windows=
    case "$(uname -s)" in MINGW* | MSYS* | CYGWIN*) windows=1 ;; esac
    if [ -n "${TORCH_INDEX:-}" ]; then
        return 1
    elif [ "$2" = "$CPU_INDEX" ]; then
        echo "setup: $CPU_INDEX does not give it (see pip's message above), so PyPI's build is taken in its place:" \
            "$([ "$windows" ] && echo "some 200 MB" || echo "some 3 GB to fetch and 7 GB on the disk, as it brings NVIDIA's libraries;" \
                "it computes on the CPU all the same")"
        install_build "$1" ""
    elif [ "$BUILD" = cuda ] && [ -z "$2" ]; then
        echo "setup: PyPI does not give it (see pip's message above), so PyTorch's own index is asked: $CUDA_INDEX"
        install_build "$1" "$CUDA_INDEX"
    else
        return 1
    fi
}

extras() { # on a GPU machine also CuPy, of the CUDA generation that PyTorch was built with
    [ "$BUILD" = cuda ] || { echo dev && return; }
    "$BIN/python" -c 'import torch; print("dev,cuda13" if torch.version.cuda.startswith("13") else "dev,cuda")'
}

BUILD=cpu
if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
    BUILD=cuda
fi
STAMP=.venv/sdv2-live.stamp
STATE="$BUILD ${TORCH_INDEX:-} $PWD $(cat pyproject.toml tools/setup.sh | cksum)"

bin_folder() { [ -d .venv/Scripts ] && echo "$PWD/.venv/Scripts" || echo "$PWD/.venv/bin"; }
BIN=$(bin_folder)

if [ "$(cat "$STAMP" 2>/dev/null)" != "$STATE" ] || ! "$BIN/python" -c '' 2>/dev/null; then
    if ! "$BIN/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        make_venv
        BIN=$(bin_folder)
        pip install -qq --upgrade pip || echo "setup: pip stays as it came with Python: $REACH"
    fi
    install_torch
    echo "setup: installing sdv2-live and its tools"
    pip install -qq --editable ".[$(extras)]" ||
        fail "the packages could not be installed, see pip's message above; $REACH"
    echo "$STATE" >"$STAMP"
    echo "setup: ready ($("$BIN/sdv2-live" --version), PyTorch $("$BIN/python" -c 'import torch; print(torch.__version__)'))"
fi
