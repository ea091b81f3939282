"""Hooks that were there before, of many kinds: each writes its arguments and input to $RECORD, and exits $STATUS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.githooks.hooked import needs, put

SHELL = 'printf "%s\\n" "$@" >"$RECORD"\ncat >>"$RECORD"\n'
_PYTHON = "import os, sys\nout = open(os.environ['RECORD'], 'w')\nout.write(''.join(a + '\\n' for a in sys.argv[1:]))\n"
_PYTHON += "out.write(sys.stdin.read())\nout.close()\nsys.exit(int(os.environ.get('STATUS', '0')))\n"
NODE = "const fs = require('fs')\nlet read = ''\ntry { read = fs.readFileSync(0, 'utf8') } catch {}\n"
NODE += "fs.writeFileSync(process.env.RECORD, process.argv.slice(2).map(a => a + '\\n').join('') + read)\n"
NODE += "process.exit(Number(process.env.STATUS || 0))\n"
_C = """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
    FILE *out = fopen(getenv("RECORD"), "w");
    for (int i = 1; i < count; i++) fprintf(out, "%s\\n", words[i]);
    for (int c; (c = getchar()) != EOF;) fputc(c, out);
    fclose(out);
    return getenv("STATUS") ? atoi(getenv("STATUS")) : 0;
}
"""
_LEFTHOOK = """#!/bin/sh

if [ "$LEFTHOOK_VERBOSE" = "1" -o "$LEFTHOOK_VERBOSE" = "true" ]; then
  set -x
fi

if [ "$LEFTHOOK" = "0" ]; then
  exit 0
fi

call_lefthook()
{
  printf "%s\\n" "$@" >"$RECORD"; cat >>"$RECORD"; exit "${STATUS:-0}"
}

call_lefthook "$@"
"""
SCRIPTS = {
    "sh": f"#!/bin/sh\n{SHELL}exit ${{STATUS:-0}}\n",
    "bash": f"#!/bin/bash\n{SHELL}exit ${{STATUS:-0}}\n",
    "env bash with options": f"#!/usr/bin/env -S bash -eu\n{SHELL}exit ${{STATUS:-0}}\n",
    "exec": '#!/bin/sh\nexec sh -c \'printf "%s\\n" "$@" >"$RECORD"; cat >>"$RECORD"; exit ${STATUS:-0}\' sh "$@"\n',
    "set -eu": f"#!/bin/sh\nset -eu\n{SHELL}exit ${{STATUS:-0}}\n",
    "no newline at the end": f"#!/bin/sh\n{SHELL}exit ${{STATUS:-0}}",
    "python": f"#!{sys.executable}\n{_PYTHON}",
    "python in a directory called sh": f"#!/usr/bin/env -S {sys.executable} -X sh=bash\n{_PYTHON}",
    "sh and python in one": f"#!/bin/sh\n''':'\nexec '{sys.executable}' \"$0\" \"$@\"\n'''\n{_PYTHON}",
    "lefthook": _LEFTHOOK,
}
BYTES = {
    "CRLF": b"#!/bin/sh\r\nexit 0\r\n",
    "the first line alone": b"#!/bin/sh\n",
    "no first line": b"echo ran\n",
    "empty": b"",
    "first line without end": b"#!/bin/sh",
}


def foreign(kind: str, path: Path) -> None:
    """Write a hook of a kind: one of SCRIPTS, node, zsh, binary, link."""
    if kind == "node":
        put(path, f"#!{needs('node')}\n{NODE}")
    elif kind == "zsh":
        put(path, f"#!{needs('zsh')}\n{SHELL}exit ${{STATUS:-0}}\n")
    elif kind == "binary":
        source = path.with_suffix(".c")
        source.write_text(_C)
        subprocess.run([needs("cc"), "-o", str(path), str(source)], check=True)
        source.unlink()
    elif kind == "link":
        put(path.parent / "shared" / "hook", SCRIPTS["sh"])
        path.symlink_to("shared/hook")
    else:
        put(path, SCRIPTS[kind])
