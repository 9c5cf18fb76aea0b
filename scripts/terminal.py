"""A terminal session as an animated SVG. Used by scripts/screenshot.sh.

terminal.py record LINES.json LAST SECONDS COMMAND...
    Runs COMMAND in a terminal and notes when each line comes. When LAST has come LINES.json is written; the command
    runs on until this program is ended.
terminal.py draw LINES.json PICTURE.svg
    Draws the lines; each appears when it came. Pauses longer than three seconds are shortened to three.
"""
import html
import json
import os
import pty
import re
import select
import signal
import sys
import time

LONGEST_PAUSE = 3.0
COLUMNS = 112
LINE = 17
REST = 6.0  # how long the last picture stays before it begins again


def record(lines_path, last, seconds, *command):
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    start, lines, rest, is_written = time.monotonic(), [], "", False
    try:
        while is_written or time.monotonic() < start + float(seconds):
            if not select.select([terminal], [], [], 0.5)[0]:
                continue
            try:
                rest += os.read(terminal, 1 << 16).decode(errors="replace")
            except OSError:  # the command has ended
                break
            *whole, rest = rest.split("\n")
            for line in whole:
                plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip("\r")
                lines.append([round(time.monotonic() - start, 2), plain])
            if not is_written and any(line.startswith(last) for _, line in lines):
                with open(lines_path + ".new", "w", encoding="utf-8") as file:
                    json.dump(lines, file)
                os.rename(lines_path + ".new", lines_path)
                is_written = True
        if not is_written:
            sys.exit(f"no line {last!r}; the last ones are {lines[-3:]!r}")
    finally:
        os.kill(child, signal.SIGINT)
        os.waitpid(child, 0)


def shown(lines):
    """Lines with the moments at which they are shown."""
    moment = before = 0.0
    for at, line in lines:
        moment += min(at - before, LONGEST_PAUSE)
        before = at
        yield moment, line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"


def draw(lines_path, picture):
    with open(lines_path, encoding="utf-8") as file:
        lines = list(shown(json.load(file)))
    whole = lines[-1][0] + REST
    width, height = COLUMNS * 7.3 + 32, len(lines) * LINE + 44
    styles, texts = [], []
    for number, (moment, line) in enumerate(lines):
        share = 100 * moment / whole
        styles.append(f"@keyframes l{number}{{0%,{share:.2f}%{{opacity:0}}{min(share + 0.01, 100):.2f}%,100%{{opacity:1}}}}")
        kind = "h" if line.startswith("==") else "w" if line.startswith("time=") else "t"
        texts.append(
            f'<text class="{kind}" x="16" y="{44 + number * LINE}" style="animation:l{number} {whole:.1f}s infinite">'
            f"{html.escape(line)}</text>"
        )
    with open(picture, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">\n'
            "<title>A run of tribune demo, in its own time</title>\n<style>\n"
            "text{font:12px ui-monospace,Menlo,Consolas,monospace;white-space:pre;fill:#d0d7de}"
            ".h{fill:#7ee787;font-weight:bold}.w{fill:#f0b429}\n" + "\n".join(styles) + "\n"
            "@media (prefers-reduced-motion:reduce){text{animation:none!important}}\n</style>\n"
            f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n'
            '<circle cx="20" cy="16" r="5" fill="#f85149"/><circle cx="36" cy="16" r="5" fill="#d29922"/>'
            '<circle cx="52" cy="16" r="5" fill="#3fb950"/>\n' + "\n".join(texts) + "\n</svg>\n"
        )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    commands = {"record": record, "draw": draw}
    if command not in commands:
        sys.exit(__doc__)
    commands[command](*arguments)
