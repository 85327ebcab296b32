# SPDX-License-Identifier: BSD-3-Clause
"""There is no key-value store: programs may import this, and are told so by what they call."""
import errno


class KVSDir:
    """Never made."""


def _refused(*_args, **_kwargs):
    raise OSError(errno.ENOSYS, "hbatch has no key-value store: notes on jobs are hbatch job memo")


commit = commit_async = dropcache = exists = get = get_dir = get_key_direct = get_key_raw = isdir = join = namespace_create = _refused
namespace_list = namespace_remove = put = put_mkdir = put_symlink = put_unlink = walk = _refused
