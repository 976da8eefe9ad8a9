#!/usr/bin/env python3
"""A man page from what a program's --help says, and prose that --help has no room for.

    manpage.py PROGRAM PROSE VERSION DATE OUTPUT.gz

PROSE is troff with the page's own sections; its line `.\\" OPTIONS` is where options and subcommands
go. So a page cannot name an option that the program lacks, nor lack one that it has.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys


def escape(text: str) -> str:
    """Text as troff prints it: dashes as on the keyboard, no line taken for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def help_of(argv: list[str]) -> list[str]:
    """Lines of a command's help."""
    env = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*argv, "--help"], capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        sys.exit(f"manpage.py: `{' '.join(argv)} --help` ended with {done.returncode}: {done.stderr}")
    return done.stdout.splitlines()


def sections(lines: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Entries (term, text) below each heading that ends in a colon."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    for line in lines:
        if heading := re.fullmatch(r"([A-Z][A-Za-z ]*):", line):
            current = found.setdefault(heading[1], [])
        elif current is not None and (entry := re.fullmatch(r" {2,5}(\S.*)", line)):
            term, _, text = (re.sub(r" {2,}", "\0", entry[1], count=1)).partition("\0")
            current.append((term, text.strip()))
        elif current and line.startswith(" " * 8) and line.strip():
            term, text = current.pop()
            current.append((term, f"{text} {line.strip()}".strip()))
    return found


def entries(items: list[tuple[str, str]]) -> list[str]:
    """A tagged list."""
    lines: list[str] = []
    for term, text in items:
        lines += [".TP", f".B {escape(term)}", escape(text) or "\\&"]
    return lines


def options(program: str, name: str) -> list[str]:
    """OPTIONS and COMMANDS of a program, two levels of subcommands deep."""
    top = sections(help_of([program]))
    lines = [".SH OPTIONS", *entries(top.get("Options", []) + top.get("Positionals", []))]
    commands = [([sub], text) for sub, text in top.get("Subcommands", [])]
    if commands:
        lines.append(".SH COMMANDS")
    while commands:
        path, text = commands.pop(0)
        lines += [f".SS {escape(' '.join([name, *path]))}", escape(text)]
        if re.search(r"\bits --help\b", text):  # another program, with a page of its own
            continue
        inner = sections(help_of([program, *path]))
        plain = [item for item in inner.get("Options", []) if not item[0].startswith("-h,")]
        lines += entries(inner.get("Positionals", []) + plain)
        commands[:0] = [([*path, sub], what) for sub, what in inner.get("Subcommands", [])]
    if codes := top.get("Exit codes"):
        lines += [".SH EXIT STATUS", *entries(codes)]
    return lines


def main() -> None:
    """The command line."""
    program, prose, version, date, target = sys.argv[1:]
    name = os.path.basename(program)
    page = [f'.TH "{name.upper()}" 1 "{date}" "kbench {version}" "kbench"']
    with open(prose, encoding="utf-8") as file:
        for line in file.read().splitlines():
            page += options(program, name) if line == '.\\" OPTIONS' else [line]
    with open(target, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as out:
        out.write(("\n".join(page) + "\n").encode())


if __name__ == "__main__":
    main()
