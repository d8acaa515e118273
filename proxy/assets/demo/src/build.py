#!/usr/bin/env python3
"""Makes ../loader.js from widget.js, widget.css, i18n.txt and previews.json. Same input, same bytes.

    python3 build.py

Not part of the build of the product: the result is kept. It is meant to look like what sites serve, one file of some
60 kB, so comments and indentation go and the data comes along; names are left readable.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dictionary() -> dict[str, list[str]]:
    lines = (line for line in (HERE / "i18n.txt").read_text().splitlines() if line and not line.startswith("#"))
    words = {code: rest for code, *rest in (line.split("|") for line in lines)}
    if any(len(rest) != 18 for rest in words.values()):
        raise SystemExit("i18n.txt: every line has a language and 18 texts")
    return words


def squeezed(source: str) -> str:
    """Drops whole-line comments, indentation and line ends. Every statement of widget.js ends in ; or a brace."""
    lines = (line.strip() for line in source.splitlines())
    code = "".join(line + (" " if re.search(r"(&&|\|\|)$", line) else "") for line in lines if line and not line.startswith("//"))
    spare = re.compile(r'("(?:[^"\\]|\\.)*")|\s*([=+\-*/%<>&|?:;,{}()!]+)\s*')
    return spare.sub(lambda found: found.group(1) or found.group(2), code)


def main() -> None:
    code = squeezed((HERE / "widget.js").read_text())
    style = "".join((HERE / "widget.css").read_text().splitlines())
    parts = {"I18N": dictionary(), "PREVIEWS": json.loads((HERE / "previews.json").read_text()), "STYLE": style}
    for name, value in parts.items():
        code = code.replace(f"@{name}@", compact(value))
    text = f"/*! overfall demo widget, Apache-2.0 */\n{code}\n"
    (HERE.parent / "loader.js").write_text(text)
    print(f"loader.js: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
