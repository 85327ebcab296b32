# SPDX-License-Identifier: BSD-3-Clause
"""Job ids (RFC 19)."""
import ctypes
from typing import Any, Union

from ._lib import Error, c_string, lib, text_of

JobIDLike = Union[int, str]


class JobID(int):
    """A job id: an integer that is shown in F58.

    Made of an integer, or of text in any form: ``JobID("f2DxK")``, ``JobID("123456")``, ``JobID("0x1e240")``.
    """

    def __new__(cls, value: JobIDLike) -> "JobID":
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError(f"a job id is an integer or a string, not {type(value).__name__}")
        if isinstance(value, str):
            number, err = ctypes.c_uint64(), Error()
            if lib.hbatch_jobid_decode(c_string(value, "a job id"), ctypes.byref(number), ctypes.byref(err)) < 0:
                raise ValueError(err.text)
            value = number.value
        if not 0 <= value < 1 << 64:
            raise ValueError(f"{value} is no job id: it must be from 0 to 2^64 - 1")
        return super().__new__(cls, value)

    @staticmethod
    def of(number: int) -> "JobID":
        """The id of a number that is known to be one."""
        return int.__new__(JobID, number)

    def encode(self, form: str = "f58") -> str:
        """In the form "f58", "f58plain", "dec", "hex", "dothex", "kvs", "words" or "emoji"."""
        err = Error()
        text = lib.hbatch_jobid_encode(self, c_string(form, "form"), ctypes.byref(err))
        if not text:
            raise ValueError(err.text)
        return text_of(text)

    @property
    def f58(self) -> str:
        """As shown: a florin sign and letters (RFC 19)."""
        return self.encode("f58")

    @property
    def f58plain(self) -> str:
        """F58 with a plain f: for file names."""
        return self.encode("f58plain")

    @property
    def dec(self) -> str:
        """Decimal."""
        return str(int(self))

    @property
    def hex(self) -> str:
        """Hexadecimal, with 0x."""
        return self.encode("hex")

    @property
    def dothex(self) -> str:
        """Hexadecimal in four parts."""
        return self.encode("dothex")

    @property
    def kvs(self) -> str:
        """As a key of Flux's store."""
        return self.encode("kvs")

    @property
    def words(self) -> str:
        """As words to say."""
        return self.encode("words")

    @property
    def emoji(self) -> str:
        """As six emoji."""
        return self.encode("emoji")

    def nth(self, i: int) -> "JobID":
        """The Ith job (0: this one) of the array whose first job this is."""
        if isinstance(i, bool) or not isinstance(i, int):
            raise TypeError(f"the number of a job is a whole number, not {type(i).__name__}")
        if not 0 <= i < 1 << 64:
            raise ValueError(f"the number of a job must be from 0 on, not {i}")
        return JobID(lib.hbatch_jobid_nth(self, i))

    def __str__(self) -> str:
        return self.f58

    def __repr__(self) -> str:
        return f'JobID("{self.f58}")'

    def __format__(self, spec: str) -> str:
        return format(str(self), spec) if not spec or spec[-1] in "s<>^0123456789" else format(int(self), spec)

    def __reduce__(self) -> Any:
        return JobID, (int(self),)
