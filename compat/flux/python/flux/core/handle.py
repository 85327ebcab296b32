# SPDX-License-Identifier: BSD-3-Clause
"""The handle, where Flux has it."""
from flux import Flux

__all__ = ["Flux"]
