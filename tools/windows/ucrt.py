"""A C runtime for Wine: `ucrt.py UCRTBASE_DLL`, the one of the prefix. Needs mingw-w64 and pefile.

Wine's ucrtbase.dll has no complex functions (creal, cexp and their kin), which NumPy and PyTorch call. It is kept beside as
ucrtwine.dll; the one in its place forwards every export to it, and computes the complex ones. Wine loads it when told
WINEDLLOVERRIDES=ucrtbase=n.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pefile

OF_COMPLEX = ("cabs", "carg", "creal", "cimag")  # real numbers
TO_COMPLEX = ("ccos", "cexp", "csin", "csinh", "ctan", "ctanh", "ccosh", "clog", "csqrt", "cacos", "casin", "catan", "cacosh")
TO_COMPLEX += ("casinh", "catanh", "conj", "cproj")
OF_TWO = ("cpow",)

# Microsoft's complex numbers are structures, which its compilers pass and return otherwise than GCC does its own.
HEAD = """
#include <complex.h>
#include <string.h>
typedef struct {double r, i;} double_s;
typedef struct {float r, i;} float_s;
static double complex in_double(double_s x) {double complex z; memcpy(&z, &x, sizeof z); return z;}
static double_s out_double(double complex z) {double_s x; memcpy(&x, &z, sizeof x); return x;}
static float complex in_float(float_s x) {float complex z; memcpy(&z, &x, sizeof z); return z;}
static float_s out_float(float complex z) {float_s x; memcpy(&x, &z, sizeof x); return x;}
"""
LINK = ["-shared", "-nostartfiles", "-static-libgcc", "-lmingwex", "-lgcc", "-lmsvcrt", "-lkernel32", "-Wl,-e,0"]


def functions() -> dict[str, str]:
    """C source of each complex function, by the name that it is exported under."""
    made = {}
    for name in (*OF_COMPLEX, *TO_COMPLEX, *OF_TWO):
        for suffix, word in (("", "double"), ("f", "float"), ("l", "double")):  # to Microsoft a long double is a double
            call = name + ("f" if word == "float" else "")
            takes, given = f"{word}_s x", f"in_{word}(x)"
            if name in OF_TWO:
                takes, given = f"{takes}, {word}_s y", f"{given}, in_{word}(y)"
            if name in OF_COMPLEX:
                made[name + suffix] = f"{word} own_{name}{suffix}({takes}) {{return {call}({given});}}"
            else:
                made[name + suffix] = f"{word}_s own_{name}{suffix}({takes}) {{return out_{word}({call}({given}));}}"
    return made


def main(library: Path) -> None:
    """Put the new library in the place of Wine's."""
    own = functions()
    symbols = pefile.PE(str(library)).DIRECTORY_ENTRY_EXPORT.symbols
    exports = {symbol.name.decode(): f"ucrtwine.{symbol.name.decode()}" for symbol in symbols if symbol.name}
    exports |= {name: f"own_{name}" for name in own}
    wines = library.read_bytes().replace(b"Wine builtin DLL", b"Wine native  DLL", 1)  # else Wine looks for it among its own
    library.with_name("ucrtwine.dll").write_bytes(wines)
    with tempfile.TemporaryDirectory() as folder:
        source, definition = Path(folder, "own.c"), Path(folder, "own.def")
        source.write_text("\n".join([HEAD, *own.values()]), encoding="utf-8")
        lines = [f"  {name}={target}" for name, target in sorted(exports.items())]
        definition.write_text("\n".join([f'LIBRARY "{library.name}"', "EXPORTS", *lines]), encoding="utf-8")
        library.unlink()  # it may be a link to Wine's
        compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-fno-builtin", "-o", str(library), str(source), str(definition)]
        subprocess.run([*compiler, *LINK], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
