#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The man pages, the header, the version script and the library say the same.

usage: check.py names|lint|examples SOURCE_ROOT [LIBRARY | COMPILER]

names     each function that the version script names is exported by LIBRARY,
          declared in the header, and stands in NAME and SYNOPSIS of exactly one
          page, with the header's prototype; every reference between pages leads
          somewhere; no page lacks a section
lint      mandoc finds nothing to complain about
examples  every example that is C compiles with COMPILER without a warning
"""
import pathlib
import re
import subprocess
import sys
import tempfile

SECTIONS = {
    "3": ["NAME", "LIBRARY", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES",
          "EXAMPLES", "ERRORS", "THREAD SAFETY", "FORK", "SEE ALSO"],
    "4": ["NAME", "DESCRIPTION", "ERRORS", "SEE ALSO"],
    "5": ["NAME", "DESCRIPTION", "EXAMPLES", "SEE ALSO"],
    "7": ["NAME", "DESCRIPTION", "SEE ALSO"],
    "8": ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES",
          "SEE ALSO"],
}
# Written with the module, and perhaps not there yet.
ELSEWHERE = {("sysgenid", "4")}

problems = []


def problem(text):
    problems.append(text)
    print(text)


def pages(root):
    found = sorted(p for p in (root / "man").iterdir()
                   if re.fullmatch(r"\.[1-8]", p.suffix))
    if len(found) < 7:
        problem(f"only {len(found)} pages")
    return found


def sections(text):
    """Section name -> its lines."""
    result, name = {}, None
    for line in text.splitlines():
        if line.startswith(".Sh "):
            name = line[4:].strip().strip('"')
            result[name] = []
        elif name:
            result[name].append(line)
    return result


def squeeze(prototype):
    """One spelling for a prototype."""
    prototype = re.sub(r"\s+", " ", prototype).strip()
    prototype = re.sub(r"\s*\*\s*", " *", prototype)
    return re.sub(r"\s*([(),])\s*", r"\1", prototype)


def header_prototypes(root):
    text = (root / "include/sysgenid.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^#.*(?:\\\n.*)*$", "", text, flags=re.M)
    result = {}
    pattern = r"^(?:SYSGENID_INLINE )?(\w[\w *\n]*?)\b(sysgenid_\w+)\(([^()]*)\)\s*[;{]"
    for kind, name, args in re.findall(pattern, text, flags=re.M):
        result[name] = squeeze(f"{kind} {name}({args})")
    return result


def page_prototypes(lines):
    result, kind, args, name = {}, None, None, None
    for line in lines:
        words = line.split(" ", 1)
        rest = words[1] if len(words) > 1 else ""
        if words[0] == ".Ft":
            kind = rest
        elif words[0] == ".Fn":
            name, *args = re.findall(r'"[^"]*"|\S+', rest)
            args = [a.strip('"') for a in args]
            result[name] = squeeze(f"{kind} {name}({', '.join(args)})")
        elif words[0] == ".Fo":
            name, args = rest, []
        elif words[0] == ".Fa":
            args += [rest.strip('"')]
        elif words[0] == ".Fc":
            result[name] = squeeze(f"{kind} {name}({', '.join(args)})")
    return result


def page_names(lines):
    return [line.split()[1].rstrip(",") for line in lines
            if line.startswith(".Nm ")]


def compare(what, got, expected):
    for name in sorted(set(expected) - set(got)):
        problem(f"{what}: {name} is missing")
    for name in sorted(set(got) - set(expected)):
        problem(f"{what}: {name} is too much")


def check_names(root, library):
    version_script = (root / "lib/libsysgenid.map").read_text()
    symbols = re.findall(r"^\t(sysgenid_\w+);", version_script, flags=re.M)
    if len(symbols) < 10:
        problem(f"version script: only {len(symbols)} symbols")
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                         capture_output=True, text=True).stdout
    exported = [line.split()[2].split("@")[0] for line in out.splitlines()
                if " A " not in line]
    compare("library", exported, symbols)
    prototypes = header_prototypes(root)
    compare("header", prototypes, symbols)

    documented, titles, references = {}, set(ELSEWHERE), []
    for page in pages(root):
        text = page.read_text()
        parts = sections(text)
        section = page.suffix[1:]
        names = page_names(parts.get("NAME", []))
        if not names or names[0] != page.stem:
            problem(f"{page.name}: NAME does not begin with {page.stem}")
        titles |= {(name, section) for name in names}
        for name in SECTIONS.get(section, []):
            if name not in parts:
                problem(f"{page.name}: no section {name}")
        for name, number in re.findall(r"^\..*\bXr (\S+) (\d)", text, flags=re.M):
            references.append((page.name, name, number))
        if section != "3" or page.stem == "libsysgenid":
            continue
        synopsis = page_prototypes(parts.get("SYNOPSIS", []))
        compare(f"{page.name}: SYNOPSIS", synopsis, names)
        for name, prototype in synopsis.items():
            if name in documented:
                problem(f"{page.name}: {name} is in {documented[name]} too")
            documented[name] = page.name
            if prototype != prototypes.get(name):
                problem(f"{page.name}: {prototype}\n"
                        f"    but header: {prototypes.get(name)}")
    compare("pages", documented, symbols)
    for page, name, number in references:
        if "sysgenid" in name and (name, number) not in titles:
            problem(f"{page}: there is no {name}({number})")
    overview = (root / "man/libsysgenid.3").read_text()
    for name in symbols:
        if not re.search(rf"Xr {name} 3\b", overview):
            problem(f"libsysgenid.3 does not mention {name}")
    print(f"{len(symbols)} functions, {len(references)} references")


def check_lint(root):
    for page in pages(root):
        out = subprocess.run(["mandoc", "-T", "lint", "-W", "style", page],
                             capture_output=True, text=True).stdout
        for line in out.splitlines():
            # Mandoc looks among the installed pages; "names" looks among ours.
            if "referenced manual not found" not in line:
                problem(line)


def check_examples(root, compiler):
    count = 0
    for page in pages(root):
        text = "\n".join(sections(page.read_text()).get("EXAMPLES", []))
        for block in re.findall(r"^\.Bd -literal\n(.*?)^\.Ed", text,
                                flags=re.M | re.S):
            if not block.startswith("#include"):
                continue
            count += 1
            with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
                source.write(block.replace("\\e", "\\"))
                source.flush()
                run = subprocess.run(
                    [compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall",
                     "-Wextra", "-Wconversion", "-Werror",
                     f"-I{root}/include", f"-I{root}/module/uapi", "-c",
                     "-o", "/dev/null", source.name])
            if run.returncode:
                problem(f"{page.name}: an example does not compile")
    if count < 5:
        problem(f"only {count} examples found")
    print(f"{count} examples")


def main():
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "names":
        check_names(root, sys.argv[3])
    elif what == "lint":
        check_lint(root)
    elif what == "examples":
        check_examples(root, sys.argv[3])
    else:
        sys.exit(__doc__)
    sys.exit(bool(problems))


main()
