# SPDX-License-Identifier: BSD-3-Clause
"""Job specifications (RFC 14, RFC 25)."""
import copy
import ctypes
import datetime
import json
import math
import numbers
import os
from collections import abc
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Union

from ._channel import dumps as _dumps
from ._lib import Error, c_string, c_strings, lib, text_of

Duration = Union[None, int, float, str, datetime.timedelta]
Path = Union[str, "os.PathLike[str]"]

_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Duration, what: str = "duration") -> float:
    """Seconds of a number, a timedelta, or text as in RFC 23: "90s", "1.5h", "2d"; 0: no limit."""
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        text = value.strip()
        unit = next((u for u in ("ms", "s", "m", "h", "d") if text.endswith(u)), "")
        try:
            seconds = float(text[: len(text) - len(unit)]) * _UNITS.get(unit, 1)
        except ValueError:
            raise ValueError(f"{what}: '{value}' is no duration: it must be as 90, 90s, 30m, 1.5h or 2d") from None
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise TypeError(f"{what} must be a number, a string or a timedelta, not {type(value).__name__}")
    if seconds < 0 or math.isnan(seconds) or math.isinf(seconds):
        raise ValueError(f"{what}: '{value}' must be finite and not negative")
    return seconds


def _count(value: Any, what: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{what} must be at least {least}, not {value}")
    return value


def _command(command: Any) -> List[str]:
    if isinstance(command, (str, bytes)) or not isinstance(command, abc.Iterable):
        raise TypeError("command must be a list of strings, as in ['sleep', '1']")
    words = [os.fspath(w) if isinstance(w, os.PathLike) else w for w in command]
    for w in words:
        if not isinstance(w, str):
            raise TypeError(f"command must be a list of strings, and has {w!r} in it")
        if "\0" in w:
            raise ValueError(f"command: {w!r} has a byte 0 in it")
    if not words:
        raise ValueError("command must not be empty")
    return words


def _configuration(conf: Any) -> str:
    if isinstance(conf, abc.Mapping):
        return _dumps(conf, "conf").decode()
    text = _text(conf, "conf", paths=True)
    return text if text.lstrip().startswith("{") else os.path.abspath(text)


def _resource(kind: str, count: int, children: Optional[List[Any]] = None, **more: Any) -> Dict[str, Any]:
    r: Dict[str, Any] = {"type": kind, "count": count}
    if children:
        r["with"] = children
    r.update(more)
    return r


def _encode_built(js: int) -> Dict[str, Any]:
    err = Error()
    text = lib.hbatch_jobspec_encode(js, ctypes.byref(err))
    if not text:
        raise ValueError(err.text)
    return json.loads(text_of(text))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Environments:
    """Environments as they are sent, and their JSON, which is made once for many jobs.  What a launcher or a job around
    this process left in them is taken out where the job is started."""

    def __init__(self) -> None:
        self._process: Optional[Dict[Any, Any]] = None
        self._default: Dict[str, str] = {}
        self._texts: List[Tuple[Dict[str, str], bytes]] = []

    def default(self) -> Dict[str, str]:
        """This process's, less what is not UTF-8."""
        now = getattr(os.environ, "_data", os.environ)  # bytes: quicker to compare
        if now != self._process:
            default = {k: v for k, v in os.environ.items() if _is_utf8(k) and _is_utf8(v)}
            self._default, self._process = default, dict(now)
        return self._default

    def text(self, env: Optional[Mapping[str, str]]) -> bytes:
        """JSON of ENV; None: of this process's."""
        if env is None:
            env = self.default()
        for known, text in self._texts:
            if known == env:
                return text
        text = _dumps(env, "environment")
        self._texts = [(dict(env), text)] + self._texts[:7]
        return text


_environments = _Environments()


class Jobspec:
    """What a job is to run, and on what: a dictionary of RFC 14 (jobspec), and properties for what is mostly set.

    The working directory and the environment are, unless they are set, those of this process: they are taken when
    the job is submitted.  Variables of the job or MPI launcher around this process do not reach the job.
    A Jobspec may be changed and submitted again; a submission takes it as it is.
    """

    top_level_keys = frozenset(("resources", "tasks", "version", "attributes"))

    def __init__(self, resources: Any, tasks: Any, attributes: Optional[Any] = None, version: int = 1) -> None:
        if attributes is None:
            attributes = {"system": {"duration": 0}}
        for value, what in ((resources, "resources"), (tasks, "tasks")):
            if isinstance(value, (str, bytes)) or not isinstance(value, abc.Sequence):
                raise TypeError(f"{what} must be a list")
        if not isinstance(attributes, abc.Mapping):
            raise TypeError("attributes must be a mapping")
        if version != 1 or isinstance(version, bool):
            raise ValueError(f"version must be 1, not {version!r}")
        for key in attributes:
            if key not in ("system", "user"):
                raise ValueError(f"attributes: there is no '{key}': they are in 'system' and 'user'")
        for r in _walk(resources):
            _check_resource(r)
        for t in tasks:
            _check_task(t)
        self.jobspec: Dict[str, Any] = {
            "resources": resources,
            "tasks": tasks,
            "attributes": attributes,
            "version": version,
        }
        system = attributes.get("system", {})
        if not isinstance(system, abc.Mapping):
            raise TypeError("attributes.system must be a mapping")
        limit = system.get("duration", 0)
        if not isinstance(limit, numbers.Real) or isinstance(limit, bool):
            raise TypeError("attributes.system.duration must be a number")
        _check_dependencies(system.get("dependencies", ()))

    @classmethod
    def _of(cls, resources: List[Any], tasks: List[Any]) -> "Jobspec":
        """Of what is known to be right."""
        js = cls.__new__(cls)
        js.jobspec = {
            "resources": resources,
            "tasks": tasks,
            "attributes": {"system": {"duration": 0}},
            "version": 1,
        }
        return js

    # --- ways to make one --------------------------------------------------------------------

    @classmethod
    def from_command(
        cls,
        command: Iterable[str],
        num_tasks: int = 1,
        cores_per_task: int = 1,
        gpus_per_task: Optional[int] = None,
        num_nodes: Optional[int] = None,
        exclusive: bool = False,
        **options: Any,
    ) -> "Jobspec":
        """A job of NUM_TASKS tasks, each of which runs COMMAND.

        options: duration, environment, env_expand, cwd, rlimits, name, input, output, error, label_io, unbuffered,
        queue, bank, dependencies: as the properties of these names.
        """
        words = _command(command)
        _count(num_tasks, "num_tasks")
        children = [_resource("core", _count(cores_per_task, "cores_per_task"))]
        if gpus_per_task is not None and _count(gpus_per_task, "gpus_per_task", 0):
            children.append(_resource("gpu", gpus_per_task))
        count: Dict[str, int] = {"per_slot": 1}
        if num_nodes is None:
            if exclusive:
                raise ValueError("exclusive can only be set together with num_nodes")
            top = _resource("slot", num_tasks, children, label="task")
        else:
            if _count(num_nodes, "num_nodes") > num_tasks:
                raise ValueError(f"num_nodes ({num_nodes}) must not be more than num_tasks ({num_tasks})")
            if num_tasks % num_nodes:
                count = {"total": num_tasks}
            slot = _resource("slot", -(-num_tasks // num_nodes), children, label="task")
            top = _resource("node", num_nodes, [slot], **({"exclusive": True} if exclusive else {}))
        task = {"command": words, "slot": "task", "count": count}
        js = cls._of([top], [task])
        return js._options(**options) if options else js

    @classmethod
    def per_resource(
        cls,
        command: Iterable[str],
        ncores: Optional[int] = None,
        nnodes: Optional[int] = None,
        per_resource_type: Optional[str] = None,
        per_resource_count: Optional[int] = None,
        gpus_per_node: Optional[int] = None,
        exclusive: bool = False,
        **options: Any,
    ) -> "Jobspec":
        """A job on NCORES cores or NNODES nodes, with PER_RESOURCE_COUNT tasks on each "node" or "core"."""
        if (per_resource_type is None) != (per_resource_count is None):
            raise ValueError("per_resource_type and per_resource_count go together")
        if per_resource_type not in (None, "node", "core"):
            raise ValueError(f"per_resource_type must be 'node' or 'core', not {per_resource_type!r}")
        if nnodes is None and (exclusive or gpus_per_node is not None):
            raise ValueError("exclusive and gpus_per_node go together with nnodes")
        if ncores is None and nnodes is None:
            raise ValueError("one of ncores and nnodes must be given")
        if nnodes is not None and ncores is None and not exclusive:
            raise ValueError("nnodes goes together with ncores, or exclusive")
        if ncores is not None:
            _count(ncores, "ncores")
        slots, size = (ncores or 1, 1) if nnodes is None else (1, 1)
        if nnodes is not None and _count(nnodes, "nnodes") and ncores is not None:
            if ncores % nnodes:
                raise ValueError(f"ncores ({ncores}) must be a multiple of nnodes ({nnodes})")
            size = ncores // nnodes
        children = [_resource("core", size)]
        if gpus_per_node is not None and _count(gpus_per_node, "gpus_per_node", 0):
            children.append(_resource("gpu", gpus_per_node))
        top = _resource("slot", slots, children, label="task")
        if nnodes is not None:
            top = _resource("node", nnodes, [top], **({"exclusive": True} if exclusive else {}))
        task = {"command": _command(command), "slot": "task", "count": {"per_slot": 1}}
        js = cls([top], [task], {"system": {"duration": 0}}, 1)
        if per_resource_type is not None:
            number = _count(per_resource_count, "per_resource_count")
            js.setattr_shell_option("per-resource", {"type": per_resource_type, "count": number})
        return js._options(**options)

    @classmethod
    def from_nest_command(
        cls,
        command: Iterable[str],
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: Optional[int] = None,
        num_nodes: Optional[int] = None,
        broker_opts: Optional[Iterable[str]] = None,
        exclusive: bool = False,
        conf: Union[None, Path, Mapping[str, Any]] = None,
        **options: Any,
    ) -> "Jobspec":
        """A job that is an instance of its own, which runs COMMAND and ends with it.

        broker_opts: options of hbatch-instance(1), a word each.  conf: its configuration (hbatch-config(5)), a mapping,
        JSON, or the name of a file.
        """
        words = ["hbatch-instance"]
        if conf is not None:
            words.append("--config=" + _configuration(conf))
        for o in broker_opts or ():
            if not isinstance(o, str):
                raise TypeError(f"broker_opts must be strings, and {o!r} is none")
            if not o.startswith("-") or o in ("-", "--"):
                raise ValueError(f"broker_opts: '{o}' is no option: give it as one word, as in --policy=fcfs")
            words.append(o)
        program = _command(command)
        if "name" not in options:
            options["name"] = os.path.basename(program[0])
        js = cls.from_command(
            words + program, num_slots, cores_per_slot, gpus_per_slot, num_nodes, exclusive, **options
        )
        js.setattr_shell_option("per-resource.type", "node")
        js.setattr_shell_option("instance", True)
        return js

    @classmethod
    def from_batch_command(
        cls,
        script: str,
        jobname: str = "batch",
        args: Optional[Iterable[str]] = None,
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: Optional[int] = None,
        num_nodes: Optional[int] = None,
        broker_opts: Optional[Iterable[str]] = None,
        exclusive: bool = False,
        conf: Union[None, Path, Mapping[str, Any]] = None,
        **options: Any,
    ) -> "Jobspec":
        """A job that is an instance of its own, which runs the text SCRIPT with ARGS; the text goes along."""
        if not isinstance(script, str):
            raise TypeError(f"script must be the text of a script, not {type(script).__name__}")
        if not script.startswith("#!"):
            raise ValueError(f"the script {jobname} does not begin with #! and its interpreter, as in #!/bin/sh")
        js = cls.from_nest_command(
            ["{{tmpdir}}/script", *(args or ())],
            num_slots,
            cores_per_slot,
            gpus_per_slot,
            num_nodes,
            broker_opts,
            exclusive,
            conf,
            name=jobname,
            **options,
        )
        js.add_file("script", script, perms=0o700, encoding="utf-8")
        return js

    @classmethod
    def from_programs(
        cls,
        programs: Iterable[Mapping[str, Any]],
        num_nodes: Optional[int] = None,
        exclusive: bool = False,
        **options: Any,
    ) -> "Jobspec":
        """A job of several programs with one MPI_COMM_WORLD, whose task ranks go on from one to the next.

        programs: of each a mapping with its command, and if wanted num_tasks (1), cores_per_task (1), gpus_per_task (0),
        environment (variables over the job's) and cwd.  With num_nodes, the tasks of each are divided evenly among
        these.
        """
        known = {"command", "num_tasks", "cores_per_task", "gpus_per_task", "environment", "cwd"}
        nodes = 1 if num_nodes is None else _count(num_nodes, "num_nodes")
        slots, tasks = [], []
        for i, p in enumerate(programs):
            if not isinstance(p, abc.Mapping) or "command" not in p:
                raise TypeError(f"programs: each must be a mapping with a command, not {p!r}")
            if set(p) - known:
                raise ValueError(f"programs: there is no '{min(set(p) - known)}'; there are {', '.join(sorted(known))}")
            count = _count(p.get("num_tasks", 1), "num_tasks")
            if count % nodes:
                raise ValueError(f"program {i + 1}: {count} tasks cannot be divided evenly among {nodes} nodes")
            children = [_resource("core", _count(p.get("cores_per_task", 1), "cores_per_task"))]
            if _count(p.get("gpus_per_task") or 0, "gpus_per_task", 0):
                children.append(_resource("gpu", p["gpus_per_task"]))
            slots.append(_resource("slot", count // nodes, children, label=f"task{i}"))
            task = {"command": _command(p["command"]), "slot": f"task{i}", "count": {"per_slot": 1}}
            own = {key: p[key] for key in ("environment", "cwd") if p.get(key) is not None}
            if own:
                if "cwd" in own:
                    own["cwd"] = os.path.abspath(own["cwd"])
                task["attributes"] = own
            tasks.append(task)
        if not tasks:
            raise ValueError("programs must not be empty")
        if num_nodes is None and exclusive:
            raise ValueError("exclusive can only be set together with num_nodes")
        if len(tasks) == 1:  # what is its own is the job's
            own = tasks[0].pop("attributes", {})
            if "environment" in own:
                own["environment"] = {**(options.get("environment") or _environments.default()), **own["environment"]}
            options.update(own)
        top = slots
        if num_nodes is not None:
            top = [_resource("node", num_nodes, slots, **({"exclusive": True} if exclusive else {}))]
        js = cls._of(top, tasks)
        return js._options(**options) if options else js

    @classmethod
    def from_options(cls, command: Iterable[str], **options: Any) -> "Jobspec":
        """A job as of hbatch-submit(1), whose options are given by name: ``nodes=2``, ``time_limit="30m"``,
        ``env=["-LD_*", "X=1"]``, ``exclusive=True``.  A list gives an option several times."""
        argv, n = c_strings(_command(command), "command")
        js = lib.hbatch_jobspec_create(n, argv)
        err = Error()
        try:
            for name, value in options.items():
                key = c_string(name.replace("_", "-"), "the name of an option")
                for v in value if isinstance(value, (list, tuple)) else [value]:
                    if v is None or v is False:
                        continue
                    text = None if v is True else c_string(v if isinstance(v, os.PathLike) else str(v), name)
                    if lib.hbatch_jobspec_set(js, key, text, ctypes.byref(err)) < 0:
                        raise ValueError(err.text)
            return cls(**_encode_built(js))
        finally:
            lib.hbatch_jobspec_destroy(js)

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> "Jobspec":
        """From JSON text."""
        try:
            o = json.loads(text)
        except ValueError as e:
            raise ValueError(f"the job specification is not JSON: {e}") from None
        return cls.from_dict(o)

    @classmethod
    def from_dict(cls, o: Mapping[str, Any]) -> "Jobspec":
        """From a dictionary."""
        if not isinstance(o, abc.Mapping):
            raise TypeError("a job specification is a mapping")
        missing, more = {"resources", "tasks", "version"} - set(o), set(o) - cls.top_level_keys
        if missing or more:
            key = sorted(missing or more)[0]
            raise ValueError(f"the job specification {'lacks' if missing else 'has an unknown key,'} '{key}'")
        return cls(**o)

    @classmethod
    def from_yaml_stream(cls, stream: Any) -> "Jobspec":
        """From YAML text or an open file (needs python3-yaml)."""
        import yaml  # pylint: disable=import-outside-toplevel

        return cls.from_dict(yaml.safe_load(stream))

    @classmethod
    def from_yaml_file(cls, filename: Path) -> "Jobspec":
        """From a YAML file (needs python3-yaml)."""
        with open(filename, "rb") as f:
            return cls.from_yaml_stream(f)

    def _options(
        self,
        duration: Duration = None,
        environment: Optional[Mapping[str, str]] = None,
        env_expand: Optional[Mapping[str, str]] = None,
        cwd: Optional[Path] = None,
        rlimits: Optional[Mapping[str, int]] = None,
        name: Optional[str] = None,
        input: Optional[Path] = None,  # pylint: disable=redefined-builtin
        output: Optional[Path] = None,
        error: Optional[Path] = None,
        label_io: bool = False,
        unbuffered: bool = False,
        queue: Optional[str] = None,
        bank: Optional[str] = None,
        dependencies: Optional[Iterable[Any]] = None,
    ) -> "Jobspec":
        if duration is not None:
            self.duration = duration
        if environment is not None:
            self.environment = environment
        for value, what in ((env_expand, "env_expand"), (rlimits, "rlimits")):
            if value is not None and not isinstance(value, abc.Mapping):
                raise TypeError(f"{what} must be a mapping")
        if env_expand:
            self.setattr_shell_option("env-expand", dict(env_expand))
        if rlimits:
            self.setattr_shell_option("rlimit", dict(rlimits))
        if cwd is not None:
            self.cwd = cwd
        if name is not None:
            self.name = name
        if input is not None:
            self.stdin = input
        if output is not None and output not in ("none", "kvs"):
            self.stdout = output
            if label_io:
                self.setattr_shell_option("output.stdout.label", True)
        if error is not None and error not in ("none", "kvs"):
            self.stderr = error
            if label_io:
                self.setattr_shell_option("output.stderr.label", True)
        if unbuffered:
            self.unbuffered = True
        if queue is not None:
            self.queue = queue
        if bank is not None:
            self.bank = bank
        for d in dependencies or ():
            self.add_dependency(d)
        return self

    # --- attributes --------------------------------------------------------------------------

    @staticmethod
    def _path(key: str) -> List[str]:
        if not isinstance(key, str) or not key or ".." in key or key.endswith("."):
            raise ValueError(f"{key!r} is no name of an attribute: it must be as in system.duration")
        if key.startswith("."):
            key = key[1:]
        elif key.startswith("attributes."):
            key = key[len("attributes.") :]
        elif not key.startswith(("system.", "user.")):
            key = "system." + key
        return key.split(".")

    def setattr(self, key: str, val: Any) -> None:
        """Set attributes.KEY, as in "system.job.name" or "user.comment"; a key without either is one of system."""
        *folders, last = self._path(key)
        at = self.jobspec["attributes"]
        for name in folders:
            at = at.setdefault(name, {})
            if not isinstance(at, abc.MutableMapping):
                raise TypeError(f"{key}: '{name}' has a value already and cannot have keys")
        at[last] = val

    def getattr(self, key: str) -> Any:
        """attributes.KEY; KeyError if there is none."""
        at = self.jobspec["attributes"]
        for name in self._path(key):
            if not isinstance(at, abc.Mapping) or name not in at:
                raise KeyError(key)
            at = at[name]
        return at

    def _get(self, key: str) -> Any:
        try:
            return self.getattr(key)
        except KeyError:
            return None

    def delattr(self, key: str) -> None:
        """Take attributes.KEY away, if it is there."""
        *folders, last = self._path(key)
        at: Any = self.jobspec["attributes"]
        for name in folders:
            at = at.get(name, {}) if isinstance(at, abc.Mapping) else {}
        if isinstance(at, abc.MutableMapping):
            at.pop(last, None)

    def setattr_shell_option(self, key: str, val: Any) -> None:
        """Set a launch option, as --setopt of hbatch-submit(1)."""
        self.setattr("system.shell.options." + key, val)

    @property
    def duration(self) -> Optional[float]:
        """The time limit in seconds; may be set to text ("30m") or a timedelta, too.  0: none."""
        return self._get("system.duration")

    @duration.setter
    def duration(self, value: Duration) -> None:
        self.setattr("system.duration", parse_duration(value))

    @property
    def cwd(self) -> Optional[str]:
        """The working directory; None: that of the submission."""
        return self._get("system.cwd")

    @cwd.setter
    def cwd(self, value: Path) -> None:
        self.setattr("system.cwd", _text(value, "cwd", paths=True))

    @property
    def environment(self) -> Dict[str, str]:
        """All of the environment.  To read it makes it this Jobspec's own, to be changed."""
        env = self._get("system.environment")
        if env is None:
            env = dict(_environments.default())
            self.setattr("system.environment", env)
        return env

    @environment.setter
    def environment(self, value: Mapping[str, str]) -> None:
        if not isinstance(value, abc.Mapping):
            raise TypeError("environment must be a mapping")
        for k, v in value.items():
            if not isinstance(k, str) or not isinstance(v, str):
                raise TypeError(f"environment: names and values must be strings: {k!r}={v!r}")
        self.setattr("system.environment", value)

    @property
    def name(self) -> Optional[str]:
        """The job's name; None: that of its program."""
        return self._get("system.job.name")

    @name.setter
    def name(self, value: str) -> None:
        self.setattr("system.job.name", _text(value, "name"))

    @property
    def queue(self) -> Optional[str]:
        """The queue; None: the instance's default."""
        return self._get("system.queue")

    @queue.setter
    def queue(self, value: str) -> None:
        self.setattr("system.queue", _text(value, "queue"))

    @property
    def bank(self) -> Optional[str]:
        """The bank; None: the instance's default."""
        return self._get("system.bank")

    @bank.setter
    def bank(self, value: str) -> None:
        self.setattr("system.bank", _text(value, "bank"))

    def _io(self, stream: str) -> Optional[str]:
        return self._get(f"system.shell.options.{stream}.path")

    def _set_io(self, stream: str, path: Path) -> None:
        self.setattr_shell_option(stream + ".path", _text(path, stream.split(".")[1], paths=True))
        self.setattr_shell_option(stream + ".type", "file")

    @property
    def stdin(self) -> Optional[str]:
        """The file that tasks read; also as input."""
        return self._io("input.stdin")

    @stdin.setter
    def stdin(self, path: Path) -> None:
        self._set_io("input.stdin", path)

    @property
    def stdout(self) -> Optional[str]:
        """The file that output goes to, a template as of hbatch-output(7); also as output."""
        return self._io("output.stdout")

    @stdout.setter
    def stdout(self, path: Path) -> None:
        self._set_io("output.stdout", path)

    @property
    def stderr(self) -> Optional[str]:
        """The file that errors go to; None: that of the output.  Also as error."""
        return self._io("output.stderr")

    @stderr.setter
    def stderr(self, path: Path) -> None:
        self._set_io("output.stderr", path)

    input = stdin
    output = stdout
    error = stderr

    @property
    def unbuffered(self) -> bool:
        """Whether output is told as it comes rather than by lines."""
        options = "system.shell.options.output."
        return self._get(options + "stdout.buffer.type") == "none" == self._get(options + "stderr.buffer.type")

    @unbuffered.setter
    def unbuffered(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("unbuffered must be True or False")
        for stream in ("stdout", "stderr"):
            if value:
                self.setattr_shell_option(f"output.{stream}.buffer.type", "none")
            else:
                self.delattr(f"system.shell.options.output.{stream}.buffer")
        for key, quick in (("output.batch-timeout", 0.05), ("input.batch-timeout", 0.0)):
            if value:
                self.setattr_shell_option(key, quick)
            elif self._get("system.shell.options." + key) == quick:
                self.delattr("system.shell.options." + key)

    @property
    def dependencies(self) -> List[Dict[str, Any]]:
        """What the job waits for (RFC 26)."""
        return list(self._get("system.dependencies") or ())

    def add_dependency(self, dependency: Any) -> None:
        """One more thing to wait for: "afterok:JOBID" and the like, or a mapping of RFC 26."""
        if isinstance(dependency, str):
            scheme, colon, value = dependency.partition(":")
            if not scheme or not colon or not value:
                raise ValueError(f"dependency '{dependency}' must be as in afterok:JOBID")
            dependency = {"scheme": scheme, "value": value}
        _check_dependencies([dependency])
        self.setattr("system.dependencies", self.dependencies + [dict(dependency)])

    def add_file(
        self, path: str, data: Any, perms: Optional[int] = None, encoding: Optional[str] = None
    ) -> None:
        """A file that goes along, and is found as {{tmpdir}}/PATH (RFC 37): DATA is its text, if it has a newline
        in it or an encoding is given; else the name of a file here; a mapping becomes JSON."""
        if isinstance(data, abc.Mapping):
            content, encoding = json.dumps(data), "utf-8"
        elif isinstance(data, str) and (encoding is not None or "\n" in data):
            content, encoding = data, encoding or "utf-8"
        elif isinstance(data, (str, os.PathLike)):
            with open(data, "rb") as f:
                raw = f.read()
            if perms is None:
                perms = os.stat(data).st_mode & 0o777
            try:
                content, encoding = raw.decode("utf-8"), "utf-8"
            except UnicodeDecodeError:
                import base64  # pylint: disable=import-outside-toplevel

                content, encoding = base64.b64encode(raw).decode(), "base64"
        else:
            raise TypeError(f"data must be text, a file's name or a mapping, not {type(data).__name__}")
        entry = {"mode": 0o100000 | (0o600 if perms is None else perms), "data": content, "encoding": encoding}
        files = dict(self._get("system.files") or {})
        files[_text(path, "path")] = entry
        self.setattr("system.files", files)

    # --- the whole ---------------------------------------------------------------------------

    @property
    def resources(self) -> Any:
        """The list of resources (RFC 14)."""
        return self.jobspec["resources"]

    @property
    def tasks(self) -> Any:
        """The list of tasks: command, slot, count."""
        return self.jobspec["tasks"]

    @property
    def attributes(self) -> Dict[str, Any]:
        """The attributes: system and user."""
        return self.jobspec["attributes"]

    @property
    def version(self) -> int:
        """That of RFC 14: 1."""
        return self.jobspec["version"]

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """The resources, depth first."""
        return _walk(self.resources)

    def resource_walk(self) -> Iterator[Tuple[Any, Any, int]]:
        """(parent, resource, count in all), depth first."""

        def walk(parent: Any, resources: Any, factor: int) -> Iterator[Tuple[Any, Any, int]]:
            for r in resources:
                count = r["count"] if isinstance(r["count"], int) else 1
                yield parent, r, count * factor
                yield from walk(r, r.get("with", ()), count * factor)

        return walk(None, self.resources, 1)

    def resource_counts(self) -> Dict[str, int]:
        """How many there are of each type."""
        counts: Dict[str, int] = {}
        for _, r, count in self.resource_walk():
            counts[r["type"]] = counts.get(r["type"], 0) + count
        return counts

    def to_dict(self) -> Dict[str, Any]:
        """All of it, with the environment and the working directory that it would be submitted with."""
        o = copy.deepcopy(self.jobspec)
        o["attributes"].setdefault("system", {}).setdefault("cwd", os.getcwd())
        o["attributes"]["system"]["environment"] = json.loads(_environments.text(self._get("system.environment")))
        return o

    def dumps(self, **kwargs: Any) -> str:
        """JSON of all of it; KWARGS go to json.dumps."""
        return json.dumps(self.to_dict(), ensure_ascii=False, **kwargs)

    def wire(self) -> Tuple[bytes, bytes]:
        """What is sent: the specification without the environment, and that."""
        attributes = self.jobspec["attributes"]
        system = attributes.get("system", {})
        env = system.get("environment")
        if env is not None or "cwd" not in system:
            system = {k: v for k, v in system.items() if k != "environment"}
            system.setdefault("cwd", os.getcwd())
            spec = dict(self.jobspec, attributes=dict(attributes, system=system))
        else:
            spec = self.jobspec
        return _dumps(spec, "the job specification"), _environments.text(env)

    def __repr__(self) -> str:
        words = self.tasks[0]["command"] if self.tasks else []
        return f"<{type(self).__name__} {self.name or ' '.join(map(str, words))}>"

    def __str__(self) -> str:
        return self.dumps()


def _text(value: Any, what: str, paths: bool = False) -> str:
    if paths and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string{' or path' if paths else ''}, not {type(value).__name__}")
    return value


def _walk(resources: Any) -> Iterator[Dict[str, Any]]:
    for r in resources:
        yield r
        if isinstance(r, abc.Mapping):
            yield from _walk(r.get("with", ()))


def _check_resource(r: Any) -> None:
    if not isinstance(r, abc.Mapping):
        raise TypeError(f"resources: {r!r} must be a mapping")
    for key in ("type", "count"):
        if key not in r:
            raise ValueError(f"resources: {dict(r)} lacks '{key}'")
    if not isinstance(r["type"], str):
        raise TypeError("resources: a type must be a string")
    count = r["count"]
    if isinstance(count, bool) or not isinstance(count, (int, str, abc.Mapping)):
        raise TypeError(f"resources: the count of {r['type']} must be a number, text or mapping, not {count!r}")
    if isinstance(count, int) and count < (1 if r["type"] in ("node", "slot", "core") else 0):
        raise ValueError(f"resources: the count of {r['type']} must be greater than {count}")
    if r["type"] == "slot" and not isinstance(r.get("label"), str):
        raise ValueError("resources: a slot must have a label")


def _check_task(t: Any) -> None:
    if not isinstance(t, abc.Mapping):
        raise TypeError("tasks: each must be a mapping")
    for key in ("command", "slot", "count"):
        if key not in t:
            raise ValueError(f"tasks: one lacks '{key}'")
    _command(t["command"])
    count = t["count"]
    if not isinstance(count, abc.Mapping) or len(count) != 1 or not set(count) <= {"per_slot", "total"}:
        raise ValueError(f"tasks: count must be {{'per_slot': N}} or {{'total': N}}, not {count!r}")
    _count(next(iter(count.values())), "tasks: count")


def _check_dependencies(dependencies: Any) -> None:
    if isinstance(dependencies, (str, abc.Mapping)) or not isinstance(dependencies, abc.Sequence):
        if dependencies != ():
            raise TypeError("dependencies must be a list")
    for d in dependencies:
        if not isinstance(d, abc.Mapping):
            raise TypeError(f"dependencies: {d!r} must be a mapping")
        for key in ("scheme", "value"):
            if key not in d:
                raise ValueError(f"dependencies: {dict(d)} lacks '{key}'")
            if not isinstance(d[key], str):
                raise TypeError(f"dependencies: {key} must be a string, not {d[key]!r}")


JobspecLike = Union[Jobspec, str, bytes, Mapping[str, Any], List[str], Tuple[str, ...]]


def wire_of(jobspec: JobspecLike) -> Tuple[bytes, Optional[bytes]]:
    """What is sent of a Jobspec, its JSON text, a dictionary, or a command's words."""
    if isinstance(jobspec, Jobspec):
        return jobspec.wire()
    if isinstance(jobspec, (str, bytes)):
        return c_string(jobspec, "the job specification"), None
    if isinstance(jobspec, abc.Mapping):
        return Jobspec.from_dict(jobspec).wire()
    if isinstance(jobspec, (list, tuple)):
        return Jobspec.from_command(jobspec).wire()
    raise TypeError(f"a job specification is a Jobspec, JSON, a dictionary or a command, not {type(jobspec).__name__}")


__all__ = ["Jobspec", "JobspecLike", "parse_duration", "wire_of"]
