#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The client library, by a C program that uses all of it (libclient.c), in an instance.
. "${0%/*}/lib.sh"
[ -x "$builddir/tests/system/libclient" ] || skip_all "tests/system/libclient is not built: make check"
inside
trap - EXIT
cd /
rm -rf "$tmp"
exec "$builddir/tests/system/libclient"
