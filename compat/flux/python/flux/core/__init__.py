# SPDX-License-Identifier: BSD-3-Clause
"""Where Flux has its handle and watchers."""
