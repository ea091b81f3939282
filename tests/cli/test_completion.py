"""`completion`, in the shells themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.githooks.hooked import needs

NAMES = ("kittywatch", "spec-kitty")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both programs on PATH, as an installation puts them there."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in NAMES:
        script = directory / name
        main = f"import sys; sys.argv[0] = '{name}'; from kittywatch.cli.main import main; main()"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{main}" "$@"\n', "utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return directory


def run(shell: str, *options: str, program: str, home: Path) -> list[str]:
    done = subprocess.run(
        [needs(shell), *options, "-c", program],
        cwd=home,
        env={**os.environ, "HOME": str(home), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return sorted(line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip())


def bash(program: str, words: str, home: Path) -> list[str]:
    function = f"_{program.replace('-', '_')}_completion"
    line = words.split(" ")
    program_text = (
        f'eval "$({program} completion bash)"\n'
        f"complete -p {program} | grep -q {function} || exit 9\n"
        f"COMP_WORDS=({program} {' '.join(line[:-1])} '{line[-1]}'); COMP_CWORD={len(line)}\n"
        f"{function} {program}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    return run("bash", "--norc", program=program_text, home=home)


def fish(program: str, words: str, home: Path) -> list[str]:
    return run(
        "fish",
        "--no-config",
        program=f"{program} completion fish | source; complete -C '{program} {words}'",
        home=home,
    )


def zsh(program: str, words: str, home: Path, *, seen: str) -> list[str]:
    """In an interactive zsh on a terminal of its own, where a person presses tab and sees the list.

    Nothing more is typed before `seen` stands there: zsh shows no list to somebody who types on.
    """
    program_text = f"""
zmodload zsh/zpty
zpty shell "{needs("zsh")} -f -i"
zpty -w shell "PS1='' RPS1='' PS2=''; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D"
zpty -w shell 'eval "$({program} completion zsh)"'
zpty -w shell "zstyle ':completion:*' list-prompt ''; zstyle ':completion:*' menu no; LISTMAX=1000; print rea''dy"
zpty -r -m shell line '*ready*'
zpty -w -n shell "{program} {words}"$'\\t'
zpty -r -m shell list '*{seen}*'
zpty -w -n shell $'\\x15'"print en''d"$'\\n'
zpty -r -m shell line '*end*'
print -r -- $list $line
zpty -d shell
"""
    return run("zsh", "-f", program=program_text, home=home)


@pytest.mark.parametrize("program", NAMES)
@pytest.mark.parametrize("complete", [bash, fish])
def test_commands_and_options(on_path: Path, tmp_path: Path, program: str, complete: object) -> None:
    assert callable(complete)
    assert {"log", "board", "doctor"} <= set(complete(program, "", tmp_path))
    assert complete(program, "bo", tmp_path) == ["board"]
    assert complete(program, "hooks un", tmp_path) == ["uninstall"]
    assert complete(program, "log --fe", tmp_path) == ["--feature"]
    assert complete(program, "completion z", tmp_path) == ["zsh"]


def test_zsh(on_path: Path, tmp_path: Path) -> None:
    """The one command that it can be is completed; of several there is a list with what each does."""
    assert any("hooks uninstall" in line for line in zsh("kittywatch", "hooks un", tmp_path, seen="hooks uninstall"))
    several = "\n".join(zsh("kittywatch", "hooks ", tmp_path, seen="uninstall"))
    assert "install" in several
    assert "status" in several


def test_a_shell_that_is_none(kittywatch: Command) -> None:
    done = kittywatch("completion", "tcsh")
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_parse(kittywatch: Command, tmp_path: Path, shell: str) -> None:
    script = tmp_path / "script"
    script.write_text(kittywatch("completion", shell).out, "utf-8")
    subprocess.run([needs(shell), "-n", str(script)], check=True)
