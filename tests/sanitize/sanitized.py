"""Everything compiled once with the checks of addresses and of undefined behaviour, for all tests
whose programs are to have them, the fuzz targets too.

clang compiles in two thirds of GCC's time; where it or its sanitizers are missing, GCC does.
"""
import functools
import subprocess

from harness import BUILD, LIBRARIES, ROOT, key_of, made_once

CHECKS = "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
MADE = BUILD / "sanitized"


@functools.cache
def compiler():
    with made_once("sanitizers-of-clang") as made:
        made.with_suffix(".c").write_text("int main(void) { return 0; }\n")
        try:
            subprocess.run(
                ["clang", *CHECKS, made.with_suffix(".c"), "-o", made],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return "gcc"
    return "clang"


def make(*targets):
    """What of the Makefile's section on fuzzing is wanted; gives the CompletedProcess.  A warning
    is an error.  Where an input leads is watched with the cheapest instrument there is."""
    watched = "-fsanitize-coverage=inline-8bit-counters,pc-table"
    with made_once("sanitized"):
        return subprocess.run(
            [
                "make",
                "-j2",
                f"FUZZ={MADE.relative_to(ROOT)}",
                f"FUZZ_CC={compiler()}",
                # What these two find the address sanitizer finds too.
                "FUZZ_OPTIMISE=-O0 -Werror -fno-sanitize=null,object-size",
                "FUZZ_DEBUG=-g0",
                f"FUZZ_COVERAGE={watched if compiler() == 'clang' else ''}",
                *targets,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )


@functools.cache
def library():
    path = MADE / "libnet_f32.a"
    made = make(path.relative_to(ROOT))
    assert made.returncode == 0, made.stderr
    return path


def program(*words):
    """A C program with the checks, from text, which is the first word, or from files among the
    words; linked with the library, which has them too.  Gives the executable's path."""
    text, *rest = words
    with made_once(f"sanitized-{key_of(*map(str, words))}") as made:
        if not made.exists():
            source = made.with_suffix(".c")
            source.write_text(text)
            subprocess.run(
                [
                    *(compiler(), "-std=c11", "-D_GNU_SOURCE", "-O0", "-g", *CHECKS),
                    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"),
                    *("-DNET_NO_MAIN", "-DNET_REAL=float", "-I", ROOT / "runtime"),
                    *rest,
                    *(source, library(), *LIBRARIES, "-o", made),
                ],
                check=True,
            )
    return made
