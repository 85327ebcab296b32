# SPDX-License-Identifier: BSD-3-Clause
"""Plays a person at a terminal: terminal.py COMMAND... <<DIALOG

Each line of DIALOG is WANTED<TAB>TYPED: wait until the terminal shows WANTED (after what was
waited for before), then type TYPED, in which \\x1a and the like are control characters; Return
is added unless it ends in \\c.  At the end, or 30 s without what is wanted, prints what was
shown.  Its exit status is the command's; 124 when something was not shown in time."""
import os
import pty
import re
import select
import signal
import sys
import time


def main():
    dialog = [line.rstrip("\n").partition("\t") for line in sys.stdin]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    shown, end = b"", time.monotonic() + 30

    def read_more():
        nonlocal shown
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            return None
        try:
            data = os.read(fd, 65536)
        except OSError:  # nobody has the terminal any more
            data = b""
        shown += data
        return len(data)

    seen, got = 0, 1
    for wanted, _, typed in dialog:
        while (at := shown.find(wanted.encode(), seen)) < 0 and got:
            got = read_more()
        if at < 0:
            print(f"not shown: {wanted!r}")
            break
        seen = at + len(wanted.encode())
        typed = re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), typed)
        os.write(fd, (typed[:-2] if typed.endswith("\\c") else typed + "\r").encode())
    while got:
        got = read_more()
    print(shown.decode(errors="replace").replace("\r", ""))
    if got is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 124
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


sys.exit(main())
