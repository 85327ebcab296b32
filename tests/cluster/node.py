#!/usr/bin/python3 -IS
# SPDX-License-Identifier: BSD-3-Clause
"""A host of the test cluster: its first process, and the client that runs commands on it.

  node.py init STATE NAME            be process 1 of the host NAME
  node.py exec NAME COMMAND...       run COMMAND there: same directory and environment
  node.py rsh [OPTIONS] NAME WORDS.. as ssh would: login environment, home directory, the words
                                     joined by blanks and given to a shell
  node.py reach ADDRESS SECONDS      wait until ADDRESS answers

The client passes its stdin, stdout and stderr as file descriptors over the unix socket
STATE/NAME/sock.  A unix socket that is a file crosses network and pid namespaces, so that a
command can be started from the machine and from any other host alike, which nsenter cannot do:
it is not allowed to enter the pid namespace of a sibling.
"""
import json, os, select, signal, socket, struct, sys, time

HERE = "/run/hbatch-cluster"  # on a host: its state directory
FORWARDED = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGCONT]


def state_directory():
    """As in the script cluster."""
    try:
        with open(HERE) as f:
            return f.readline().rstrip("\n")
    except OSError:
        tmp = os.environ.get("TMPDIR") or "/tmp"
        return os.path.realpath(os.environ.get("CLUSTER_STATE") or tmp + "/hbatch-cluster")


def receive(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise EOFError("connection closed")
        data += part
    return data


# --- the host ------------------------------------------------------------------------------------

def login_environment(state):
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
           "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash", "LANG": "C.UTF-8"}
    try:
        with open(state + "/environment") as f:
            for line in f:
                name, equals, value = line.rstrip("\n").partition("=")
                if equals and not name.startswith("#"):
                    env[name] = value
    except OSError:
        pass
    return env


def become(state, request, fds):
    """In a new child: turn into the command of REQUEST."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(s, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    high = [os.dup(f) for f in fds]  # first out of the way of 0, 1, 2
    for i, f in enumerate(high):
        os.dup2(f, i)
    os.closerange(3, 1024)
    env = login_environment(state)
    argv = request["argv"]
    if request["mode"] == "rsh":
        cwd = env["HOME"]
        argv = [env["SHELL"], "-c", " ".join(argv)]
    else:
        cwd = request["cwd"]
        env.update(request["env"])
        env["HOSTNAME"] = socket.gethostname()
        if not os.path.isdir(env.get("TMPDIR", "/")):
            del env["TMPDIR"]  # the machine's, not visible here
    os.chdir(cwd)
    env["PWD"] = cwd
    os.execvpe(argv[0], argv, env)


class Host:
    """Process 1: starts commands, tells how they ended, reaps everything."""

    def __init__(self, state, name):
        self.state = state
        self.clients = {}  # descriptor of a connection -> (connection, pid)
        self.poll = select.poll()
        os.chdir("%s/%s" % (state, name))  # a relative name fits the socket's address always
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind("sock")
        self.listener.listen(128)
        self.poll.register(self.listener, select.POLLIN)
        os.chdir("/")
        self.wake, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poll.register(self.wake, select.POLLIN)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)

    def accept(self):
        conn, _ = self.listener.accept()
        fds, pid = [], 0
        try:
            conn.settimeout(10)
            head, fds, _, _ = socket.recv_fds(conn, 4, 3)
            head += receive(conn, 4 - len(head))
            request = json.loads(receive(conn, struct.unpack("!I", head)[0]))
            pid = os.fork()
            if pid == 0:
                self.child(request, fds)
        except (OSError, EOFError, ValueError) as e:
            print("request refused:", e, flush=True)
        for f in fds:
            os.close(f)
        if pid:
            self.clients[conn.fileno()] = (conn, pid)
            self.poll.register(conn, select.POLLIN)
        else:
            conn.close()

    def child(self, request, fds):
        try:
            become(self.state, request, fds)
        except BaseException as e:
            os.write(2, ("%s: %s\n" % (request["argv"][0], e)).encode())
        finally:
            os._exit(127)

    def forget(self, fd):
        self.poll.unregister(fd)
        self.clients.pop(fd)[0].close()

    def from_client(self, fd):
        """Each byte is a signal for the command; the end of the connection is a hang-up."""
        conn, pid = self.clients[fd]
        try:
            data = conn.recv(64)
        except OSError:
            data = b""
        for s in data or [signal.SIGHUP]:
            try:
                os.killpg(pid, s)
            except OSError:
                pass
        if not data:
            self.forget(fd)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for fd, (conn, its) in list(self.clients.items()):
                if its == pid:
                    try:
                        conn.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
                    except OSError:
                        pass
                    self.forget(fd)

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd == self.wake:
                    os.read(self.wake, 4096)
                elif fd in self.clients:
                    self.from_client(fd)
            self.reap()


def init(state, name):
    host = Host(state, name)
    with open("%s/%s/ready" % (state, name), "w") as f:  # a pipe: somebody waits for this
        f.write("up\n")
    host.run()


# --- its client ---------------------------------------------------------------------------------

def cut_off(state, name):
    """Would the network not reach NAME from here?"""
    here = socket.gethostname()
    return name != here and any(os.path.exists("%s/%s/%s" % (state, n, mark))
                                for n in (here, name) for mark in ("cut", "dead"))


def connect(directory):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fd = os.open(directory, os.O_PATH)  # again, the address must fit, however deep DIRECTORY is
    try:
        sock.connect("/proc/self/fd/%d/sock" % fd)
    finally:
        os.close(fd)
    return sock


def call(mode, name, argv):
    state = state_directory()
    directory = "%s/%s" % (state, name)
    if not os.path.isdir(directory):
        sys.exit("cluster: there is no host %s in %s" % (name, state))
    if mode == "rsh" and cut_off(state, name):
        time.sleep(3)  # what ssh takes when nobody answers its ARP
        print("rsh: connect to host %s: No route to host" % name, file=sys.stderr)
        sys.exit(255)
    try:
        sock = connect(directory)
    except OSError as e:
        print("cluster: host %s: %s" % (name, e.strerror), file=sys.stderr)
        sys.exit(255)
    request = json.dumps({"mode": mode, "argv": argv, "cwd": os.getcwd(),
                          "env": dict(os.environ) if mode == "exec" else {}}).encode()
    fds = []
    for i in range(3):
        try:
            os.fstat(i)
            fds.append(i)
        except OSError:
            fds.append(os.open("/dev/null", os.O_RDWR))
    socket.send_fds(sock, [struct.pack("!I", len(request))], fds)
    sock.sendall(request)

    def forward(signum, _):
        try:
            sock.send(bytes([signum]))
        except OSError:
            pass

    for s in FORWARDED:
        signal.signal(s, forward)
    try:
        code = struct.unpack("!i", receive(sock, 4))[0]
    except (EOFError, OSError):
        for s in FORWARDED:
            signal.signal(s, signal.SIG_DFL)
        parent = os.getppid()
        while mode == "rsh" and os.path.exists(directory + "/dead") and os.getppid() == parent:
            time.sleep(0.5)  # the host lost its power: ssh would hang
        print("cluster: connection to %s lost" % name, file=sys.stderr)
        sys.exit(255)
    sys.exit(code if code >= 0 else 128 - code)


def rsh(argv):
    """Skip what ssh takes as options: "-x -p 22 -l user user@host words"."""
    while argv and argv[0].startswith("-"):
        del argv[:2 if argv[0][1:] in tuple("lpoiFEbceLm") else 1]
    if not argv:
        sys.exit("usage: rsh [OPTIONS] HOST COMMAND...")
    call("rsh", argv[0].rpartition("@")[2], argv[1:])


def reach(address, seconds):
    """Nobody listens on port 9: to be refused is to have reached it."""
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with socket.socket() as sock:
            sock.settimeout(0.1)
            try:
                sock.connect((address, 9))
                return
            except ConnectionRefusedError:
                return
            except OSError:
                pass
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "init":
        init(*args)
    elif verb == "exec":
        call("exec", args[0], args[1:])
    elif verb == "rsh":
        rsh(args)
    elif verb == "reach":
        reach(*args)
    else:
        sys.exit("node.py: unknown verb %s" % verb)
