# SPDX-License-Identifier: BSD-3-Clause
"""Plays a person who looks at a program that draws a page: screen.py ROWSxCOLUMNS COMMAND... <<DIALOG

Each line of DIALOG is WANTED<TAB>KEYS: wait until the page has WANTED (a regular expression, searched in
the whole page, whose lines end in newlines), then type KEYS, in which \\x1b and the like stand for characters.
KEYS may be !ROWSxCOLUMNS (the window gets another size), !TERM (this signal for the command), !shell COMMAND.
After the last line, waits for the command's end.  Prints the last page; then a line "status N", and "restored" if
the command has left the terminal as it was: the alternate page gone, the cursor there, and its lines those of a
shell.  Exits with 1 when something was not shown in time."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 20  # seconds for each line


class Page:
    """What of a VT100 ncurses uses with TERM=xterm."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.alternate, self.cursor, self.rest = False, True, ""

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.y = self.x = 0
        self.top, self.bottom = 0, rows - 1

    def text(self):
        return "".join("".join(r).rstrip() + "\n" for r in self.cells)

    def put(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.line_feed()
        elif c == "\b":
            self.x = max(self.x - 1, 0)
        elif c >= " ":
            if self.x >= self.columns:
                self.x = 0
                self.line_feed()
            self.cells[self.y][self.x] = self.last = c
            self.x += 1

    def line_feed(self):
        if self.y == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * self.columns)
        else:
            self.y = min(self.y + 1, self.rows - 1)

    def blank(self, y, begin, end):
        for x in range(max(begin, 0), min(end, self.columns)):
            self.cells[y][x] = " "

    def command(self, private, numbers, letter):
        n = [int(a) if a else 0 for a in numbers.split(";")] if numbers else []
        first = n[0] if n and n[0] else 1
        if private:
            if n and n[0] == 1049:
                self.alternate = letter == "h"
            if n and n[0] == 25:
                self.cursor = letter == "h"
        elif letter in "Hf":
            self.y = min(first, self.rows) - 1
            self.x = min(n[1] if len(n) > 1 and n[1] else 1, self.columns) - 1
        elif letter == "d":
            self.y = min(first, self.rows) - 1
        elif letter == "G":
            self.x = min(first, self.columns) - 1
        elif letter == "A":
            self.y = max(self.y - first, 0)
        elif letter == "B":
            self.y = min(self.y + first, self.rows - 1)
        elif letter == "C":
            self.x = min(self.x + first, self.columns - 1)
        elif letter == "D":
            self.x = max(self.x - first, 0)
        elif letter == "K":
            kind = n[0] if n else 0
            self.blank(self.y, 0 if kind else self.x, self.x + 1 if kind == 1 else self.columns)
        elif letter == "J":
            kind = n[0] if n else 0
            if kind == 0:
                self.blank(self.y, self.x, self.columns)
            for y in range(self.rows):
                if kind == 2 or (kind == 0 and y > self.y):
                    self.blank(y, 0, self.columns)
        elif letter == "X":
            self.blank(self.y, self.x, self.x + first)
        elif letter == "b":
            for _ in range(first):
                self.put(self.last)
        elif letter == "P":
            row = self.cells[self.y]
            self.cells[self.y] = row[:self.x] + row[self.x + first:] + [" "] * first
            del self.cells[self.y][self.columns:]
        elif letter == "@":
            row = self.cells[self.y]
            self.cells[self.y] = (row[:self.x] + [" "] * first + row[self.x:])[:self.columns]
        elif letter == "r":
            self.top = first - 1
            self.bottom = (n[1] if len(n) > 1 and n[1] else self.rows) - 1
            self.y = self.x = 0
        elif letter in "LMST":
            at = self.y if letter in "LM" else self.top
            for _ in range(first):
                if letter in "MS":
                    del self.cells[at]
                    self.cells.insert(self.bottom, [" "] * self.columns)
                else:
                    del self.cells[self.bottom]
                    self.cells.insert(at, [" "] * self.columns)

    def feed(self, text):
        text = self.rest + text
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self.put(text[at])
                at += 1
                continue
            m = re.match(r"\x1b(?:\[([?>]?)([0-9;]*)([@-~])|[()].|[=>78M])", text[at:])
            if not m:
                if len(text) - at > 20:  # none of ours
                    at += 1
                    continue
                break
            if m[3]:
                self.command(m[1], m[2], m[3])
            at += m.end()
        self.rest = text[at:]


class Person:
    def __init__(self, size, command):
        self.page = Page(*size)
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            self.fd = 0
            self.set_size(size)
            os.execvp(command[0], command)

    def set_size(self, size):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def read(self, end):
        if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            return None
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal any more
            data = b""
        whole = self.shown + data
        cut = len(whole)
        while cut > 0 and len(whole) - cut < 4 and whole[cut - 1] & 0xc0 == 0x80:
            cut -= 1  # a character that has not come whole
        if cut > 0 and whole[cut - 1] >= 0xc0 and len(whole) - cut < 3:
            cut -= 1
        else:
            cut = len(whole)
        self.shown = whole[cut:]
        self.page.feed(whole[:cut].decode(errors="replace"))
        return len(data)

    def do(self, keys):
        size = re.fullmatch(r"!(\d+)x(\d+)", keys)
        if size:
            self.page.resize(int(size[1]), int(size[2]))
            self.set_size((int(size[1]), int(size[2])))
        elif keys.startswith("!shell "):
            subprocess.run(keys[7:], shell=True, check=False, stdout=subprocess.DEVNULL)
        elif keys.startswith("!"):
            os.kill(self.pid, getattr(signal, "SIG" + keys[1:]))
        else:
            os.write(self.fd, re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), keys).encode())

    def wait_for(self, wanted):
        end = time.monotonic() + LIMIT
        while not re.search(wanted, self.page.text(), re.M):
            if not self.read(end):
                return False
        return True


def main():
    dialog = [line.rstrip("\n").partition("\t") for line in sys.stdin]
    rows, columns = map(int, sys.argv[1].split("x"))
    person = Person((rows, columns), sys.argv[2:])
    for wanted, _, keys in dialog:
        if not person.wait_for(wanted):
            print(f"not shown: {wanted!r}, but:\n{person.page.text()}")
            os.kill(person.pid, signal.SIGKILL)
            os.waitpid(person.pid, 0)
            return 1
        person.do(keys)
    end = time.monotonic() + LIMIT
    while person.read(end):
        pass
    status = os.waitpid(person.pid, 0)[1]
    lines = termios.tcgetattr(person.fd)[3]
    print(person.page.text(), end="")
    print("status", os.waitstatus_to_exitcode(status))
    whole = termios.ECHO | termios.ICANON  # as a new terminal has it
    if lines & whole == whole and person.page.cursor and not person.page.alternate:
        print("restored")
    return 0


sys.exit(main())
