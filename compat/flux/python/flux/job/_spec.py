# SPDX-License-Identifier: BSD-3-Clause
"""Job ids and specifications."""
import json
import os
import re
from collections import abc

import hbatch


class JobID(hbatch.JobID):
    """An id, which remembers the text that it was made of."""

    def __new__(cls, value):
        self = int.__new__(cls, hbatch.JobID(value))
        self.orig = value if isinstance(value, str) else str(int(value))
        return self

    @property
    def f58(self):
        """With a plain f where the locale has no other one: as `flux` prints it, and as files are named."""
        return self.f58plain if _is_plain(os.environ) else super().f58

    def __repr__(self):
        return f"JobID({int(self)})"


def _is_plain(env):
    force = env.get("FLUX_F58_FORCE_ASCII") or env.get("HBATCH_F58_FORCE_ASCII") or "0"
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return force != "0" or not re.search("utf-?8", locale, re.I)


def id_parse(text):
    return JobID(text)


def id_encode(jobid, encoding="dec"):
    return hbatch.JobID(jobid).encode(encoding)


#: The parts of Flux's configuration that an instance of hbatch has, too.
_TABLES = ("policy", "queues")


class BatchConfig:
    """A configuration for an instance, put together by update(): "key.key=value", JSON, or the name of a file."""

    def __init__(self):
        self.config = None

    def get(self, key, default=None):
        """What there is at KEY ("a.b")."""
        found = self.config
        for part in key.split("."):
            if not isinstance(found, abc.Mapping) or part not in found:
                return default
            found = found[part]
        return found

    def update(self, value):
        """More of it, which goes over what there is."""
        if isinstance(value, abc.Mapping):
            more = value
        elif not isinstance(value, str):
            raise TypeError(f"a configuration is text or a mapping, not {type(value).__name__}")
        elif value.lstrip().startswith("{"):
            more = _json(value, value)
        elif re.match(r"[\w.-]+=", value):
            key, _, text = value.partition("=")
            more = _json(text, text, text)
            for part in reversed(key.split(".")):
                more = {part: more}
        else:
            more = self._file(value)
        self.config = _merged(self.config or {}, more)
        return self

    @staticmethod
    def _file(path):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if path.endswith(".json"):
            return _json(text, path)
        try:
            import tomllib  # pylint: disable=import-outside-toplevel
        except ImportError:
            raise ValueError(f"{path}: TOML needs Python 3.11; JSON is read by any") from None
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as e:
            raise ValueError(f"{path} is no TOML: {e}") from None


def _json(text, what, default=None):
    try:
        return json.loads(text)
    except ValueError as e:
        if default is not None:
            return default
        raise ValueError(f"'{what}' is no JSON: {e}") from None


def _merged(old, new):
    made = dict(old)
    for key, value in new.items():
        both = isinstance(value, abc.Mapping) and isinstance(made.get(key), abc.Mapping)
        made[key] = _merged(made[key], value) if both else value
    return made


def _configuration(conf):
    """What an instance of hbatch takes of it; None: nothing."""
    if conf is None:
        return None
    if not isinstance(conf, BatchConfig):
        conf = BatchConfig().update(conf)
    return {k: v for k, v in (conf.config or {}).items() if k in _TABLES} or None


def _options_of(broker_opts):
    """Options of Flux's broker (-o, -S, -c) are not those of hbatch-instance."""
    left = []
    words = iter(broker_opts or ())
    for word in words:
        if re.fullmatch("-[oSc]|--setattr|--config-path", word):
            next(words, None)  # its value
        elif not re.match("-[oSc]|--setattr=|--config-path=", word):
            left.append(word)
    return left


class Jobspec(hbatch.Jobspec):
    """As of Flux."""

    def _options(self, **options):
        for key in ("environment", "env_expand", "rlimits"):
            value = options.get(key)
            if value is not None and not isinstance(value, abc.Mapping):
                raise ValueError(f"{key} must be a mapping")
        if options.get("environment"):
            options["environment"] = {str(k): str(v) for k, v in options["environment"].items()}
        return super()._options(**options)

    @classmethod
    def from_nest_command(
        cls, command, num_slots=1, cores_per_slot=1, gpus_per_slot=None, num_nodes=None, broker_opts=None,
        exclusive=False, conf=None, **options,
    ):  # fmt: skip
        """An instance; what of the configuration is about Flux's own services is passed over."""
        return super().from_nest_command(
            command, num_slots, cores_per_slot, gpus_per_slot, num_nodes, _options_of(broker_opts), exclusive,
            _configuration(conf), **options,
        )  # fmt: skip

    def __str__(self):
        return str(self.jobspec)

    def __repr__(self):
        return f"{type(self).__name__}(**{self.jobspec!r})"


#: Options that from_submit and its like hand on: as of flux submit, to lists of words for hbatch's own parser.
_WORDS = {
    "env": "env",
    "rlimit": "rlimit",
    "signal": "signal",
    "taskmap": "taskmap",
    "dependency": "dependency",
    "requires": "requires",
    "setopt": "setopt",
    "setattr": "setattr",
    "add_file": "add_file",
}
_IO = ("name", "queue", "bank", "cwd", "output", "error", "input", "label_io", "unbuffered")


class JobspecV1(Jobspec):
    """As of Flux."""

    def apply_options(self, args=None, *, prog=None, **options):
        """Options of flux submit by name (env, rlimit, signal, taskmap, dependency, requires, time_limit, add_file), and
        shell_options and attributes as dictionaries.  ARGS: an object with some of them as attributes."""
        del prog  # plugins of Flux's command line are not there
        known = {*_WORDS, "time_limit", "shell_options", "attributes"}
        unknown = set(options) - (known - {"setopt", "setattr"}) - {"_preinit"}
        if unknown:
            raise TypeError(f"apply_options() got an unexpected keyword argument '{min(unknown)}'")
        wanted = {}
        if args is not None:
            wanted = {key: getattr(args, key) for key in known if getattr(args, key, None) is not None}
            wanted.setdefault("env", [])
            wanted.setdefault("rlimit", [])
        wanted.update({k: v for k, v in options.items() if v is not None and k != "_preinit"})
        if "time_limit" in wanted:
            self.duration = wanted.pop("time_limit")
        self._take({_WORDS[k]: v for k, v in wanted.items() if k in _WORDS})
        for key, value in wanted.get("shell_options", {}).items():
            self.setattr_shell_option(key, value)
        for key, value in wanted.get("attributes", {}).items():
            self.setattr(key, value)
        return self

    def _take(self, words):
        """What the options WORDS make of a job, added to this one."""
        made = hbatch.Jobspec.from_options(["true"], **words).jobspec["attributes"]
        system = made["system"]
        mine = self.jobspec["attributes"].setdefault("system", {})
        if "env" in words:
            mine["environment"] = system.get("environment", {})
        options = system.get("shell", {}).get("options", {})
        if "rlimit" not in words:
            options.pop("rlimit", None)
        if options.get("rlimit"):
            mine.setdefault("shell", {}).setdefault("options", {}).pop("rlimit", None)
        else:
            options.pop("rlimit", None)
        for key, value in _flat(options):
            self.setattr_shell_option(key, value)
        for key in ("dependencies", "constraints", "files"):
            if system.get(key):
                mine[key] = _both(mine.get(key), system[key])
        if "setattr" in words:
            plain = hbatch.Jobspec.from_options(["true"]).jobspec["attributes"]
            told = {k: v for k, v in made.items() if k != "system" and plain.get(k) != v}
            more = {k: v for k, v in system.items() if plain["system"].get(k) != v}
            for key in ("environment", "cwd", "shell", "dependencies", "constraints", "files"):
                more.pop(key, None)
            self.jobspec["attributes"] = _merged(self.jobspec["attributes"], _merged(told, {"system": more}))

    @classmethod
    def from_submit(
        cls, command, *, ntasks=1, nodes=None, cores_per_task=1, gpus_per_task=None, exclusive=False, **options
    ):
        """A job as of flux submit: its options by name."""
        return cls.from_command(
            command, ntasks, cores_per_task, gpus_per_task, nodes, exclusive, **_taken(options)
        ).apply_options(prog="submit", **_rules(options))

    @classmethod
    def from_alloc(
        cls, *, nslots=None, nodes=None, cores_per_slot=1, gpus_per_slot=None, exclusive=False, broker_opts=None,
        conf=None, bg=False, **options,
    ):  # fmt: skip
        """An instance without a program, as of flux alloc: it lasts until its job is canceled."""
        if nslots is None:
            if nodes is None:
                raise ValueError("from_alloc() requires nslots or nodes")
            nslots, exclusive = nodes, True
        options.setdefault("cwd", os.getcwd())
        options.setdefault("name", "flux")
        # no program: the word that stands for one goes, and --no-program is said in its place
        js = cls.from_nest_command(
            ["true"], nslots, cores_per_slot, gpus_per_slot, nodes, broker_opts=broker_opts, exclusive=exclusive,
            conf=conf, **_taken(options),
        )  # fmt: skip
        js.jobspec["tasks"][0]["command"][-1] = "--no-program"
        if bg:
            js.setattr_shell_option("pty.capture", 1)
        return js.apply_options(prog="alloc", **_rules(options))

    @classmethod
    def from_batch(
        cls, script=None, *, content=None, nslots=None, nodes=None, cores_per_slot=1, gpus_per_slot=None,
        exclusive=False, broker_opts=None, conf=None, wrap=False, **options,
    ):  # fmt: skip
        """An instance that runs a script: the file SCRIPT, or the text CONTENT."""
        if (script is None) == (content is None):
            raise TypeError("from_batch() takes one of 'script' (a file) and 'content' (its text)")
        if content is None:
            with open(script, encoding="utf-8") as f:
                content = f.read()
            options.setdefault("name", os.path.basename(os.fspath(script)))
        if wrap and not content.startswith("#!"):
            content = "#!/bin/sh\n" + content
        if nslots is None:
            nslots, exclusive = (1, exclusive) if nodes is None else (nodes, True)
        options.setdefault("cwd", os.getcwd())
        options.setdefault("output", "flux-{{id}}.out")
        taken = _taken(options)
        return cls.from_batch_command(
            content, taken.pop("name", None) or "batch", None, nslots, cores_per_slot, gpus_per_slot, nodes,
            broker_opts, exclusive, conf, **taken,
        ).apply_options(prog="batch", **_rules(options))  # fmt: skip


def _taken(options):
    """Those of OPTIONS that make a job, taken out of it."""
    return {key: options.pop(key) for key in _IO if options.get(key) is not None}


def _rules(options):
    """The others, with all of the environment and the limits where nothing is said of them."""
    left = {k: v for k, v in options.items() if v is not None and k not in _IO}
    left.setdefault("env", [])
    left.setdefault("rlimit", [])
    return left


def _flat(options, prefix=""):
    for key, value in options.items():
        if isinstance(value, abc.Mapping) and value and key not in ("env-expand", "rlimit", "signal", "taskmap"):
            yield from _flat(value, prefix + key + ".")
        else:
            yield prefix + key, value


def _both(old, new):
    if not old:
        return new
    if isinstance(new, list):
        return list(old) + new
    if set(old) <= {"and", "or", "not", "properties", "hostlist", "ranks"}:
        return {"and": [old, new]}
    return {**old, **new}


def validate_jobspec(jobspec, require_version=None):
    """(True, Jobspec), or an exception."""
    del require_version
    return True, JobspecV1.from_json(jobspec if isinstance(jobspec, (str, bytes)) else jobspec.dumps())
