#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The client library, by a C program that uses all of it (libclient.c), in an instance.
. "${0%/*}/lib.sh"
[ -x "$builddir/tests/system/libclient" ] || skip_all "tests/system/libclient is not built: make check"
inside
symbols=$(nm -D --defined-only "$builddir/src/lib/.libs/libhbatch.so" | cut -d' ' -f3)
trap - EXIT
if grep -v -e '^hbatch_[a-z_]*@@HBATCH_0.1$' -e '^HBATCH_0.1$' -e '^HBATCH_0.1@@HBATCH_0.1$' <<<"$symbols"; then
    echo "Bail out!  libhbatch exports what it should not"
    exit 1
fi
cd /
rm -rf "$tmp"
exec "$builddir/tests/system/libclient"
