# SPDX-License-Identifier: BSD-3-Clause
"""libhbatch by ctypes.  Calls are made without giving up the interpreter's lock, as they return at once, but for those in
_WAITING; where a program waits, it waits in poll (_channel.py)."""
import ctypes
import errno
import os
from typing import Any, Optional

from .errors import HbatchError

try:
    from ._config import LIBDIR
except ImportError:  # a copy of the package alone
    LIBDIR = ""

SONAME = "libhbatch.so.0"


class Error(ctypes.Structure):
    """struct hbatch_error"""

    _fields_ = [("code", ctypes.c_int), ("raw", ctypes.c_char * 512)]

    @property
    def text(self) -> str:
        return self.raw.decode("utf-8", "replace")


class Submit(ctypes.Structure):
    """struct hbatch_submit"""

    _fields_ = [
        ("urgency", ctypes.c_int),
        ("flags", ctypes.c_char_p),
        ("cc", ctypes.c_char_p),
        ("count", ctypes.c_void_p),
        ("environment", ctypes.c_char_p),
    ]


TELL_END, TELL_EVENTS, TELL_OUTPUT = 1, 2, 4

_H = ctypes.c_void_p
_STR = ctypes.c_char_p
_INT = ctypes.c_int
_U64 = ctypes.c_uint64
_ERR = ctypes.POINTER(Error)
_TEXT = ctypes.c_void_p  # char * to be freed

_PROTOTYPES = {
    "hbatch_version": (_STR,),
    "hbatch_open": (_H, _STR, _ERR),
    "hbatch_close": (None, _H),
    "hbatch_fd": (_INT, _H),
    "hbatch_dispatch": (_INT, _H, _INT, _ERR),
    "hbatch_jobid_decode": (_INT, _STR, ctypes.POINTER(_U64), _ERR),
    "hbatch_jobid_encode": (_TEXT, _U64, _STR, _ERR),
    "hbatch_jobid_nth": (_U64, _U64, _U64),
    "hbatch_jobspec_create": (_H, _INT, ctypes.POINTER(_STR)),
    "hbatch_jobspec_destroy": (None, _H),
    "hbatch_jobspec_set": (_INT, _H, _STR, _STR, _ERR),
    "hbatch_jobspec_set_instance": (_INT, _H, _INT, ctypes.POINTER(_STR), _STR, _ERR),
    "hbatch_jobspec_encode": (_TEXT, _H, _ERR),
    "hbatch_post": (_INT, _H, _U64, _STR, _STR, _ERR),
    "hbatch_post_submit": (_INT, _H, _U64, _STR, ctypes.POINTER(Submit), _INT, _ERR),
    "hbatch_post_follow": (_INT, _H, _U64, _U64, _U64, _INT, _ERR),
    "hbatch_unpost": (None, _H, _U64),
    "hbatch_take_back": (_INT, _H, _U64),
    "hbatch_take": (_TEXT, _H, ctypes.POINTER(ctypes.c_size_t)),
    "hbatch_stdin": (_INT, _H, _U64, _STR, ctypes.c_void_p, ctypes.c_size_t, _INT, _ERR),
}

_WAITING = ("hbatch_open",)  # for an instance that comes back


def _find() -> str:
    path = os.environ.get("HBATCH_LIBRARY")
    if path:
        return path
    for folder in (LIBDIR,):
        candidate = os.path.join(folder, SONAME)
        if folder and os.path.exists(candidate):
            return candidate
    return SONAME


def _load() -> ctypes.PyDLL:
    path = _find()
    try:
        lib = ctypes.PyDLL(path)
        waiting = ctypes.CDLL(path)
        for name, (result, *args) in _PROTOTYPES.items():
            if name in _WAITING:
                setattr(lib, name, getattr(waiting, name))
            function = getattr(lib, name)
            function.restype = result
            function.argtypes = args
    except (OSError, AttributeError) as e:
        raise ImportError(f"hbatch: the library {path} cannot be used: {e}; HBATCH_LIBRARY may name another one") from e
    return lib


lib: Any = _load()
_libc = ctypes.CDLL(None)
_libc.free.argtypes = [ctypes.c_void_p]
_libc.free.restype = None


def text_of(pointer: Optional[int]) -> str:
    """The text at POINTER, which is freed."""
    assert pointer
    try:
        return ctypes.string_at(pointer).decode("utf-8", "replace")
    finally:
        _libc.free(pointer)


def c_string(value: Any, what: str) -> bytes:
    """VALUE as a C string; WHAT names it in errors."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        try:
            value = value.encode("utf-8")
        except UnicodeEncodeError as e:
            raise HbatchError(f"{what} is not UTF-8", errno.EILSEQ) from e
    if not isinstance(value, bytes):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    if b"\0" in value:
        raise ValueError(f"{what} has a byte 0 in it")
    return value


def c_strings(values: Any, what: str) -> Any:
    words = [c_string(v, what) for v in values]
    return (ctypes.c_char_p * (len(words) + 1))(*words, None), len(words)


def version() -> str:
    """The version of the library."""
    return lib.hbatch_version().decode()
