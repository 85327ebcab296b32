/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/netlock.h"

#include <sys/sysmacros.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

static const char mounts[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
    "98 22 0:50 / /home rw,relatime shared:50 - nfs4 srv:/home "
    "rw,vers=4.2,rsize=1048576,hard,proto=tcp,sec=sys,clientaddr=10.0.0.2,"
    "local_lock=none,addr=10.0.0.1\n"
    "99 22 0:51 / /old rw - nfs srv:/old rw,vers=3,nolock,proto=tcp,local_lock=all\n"
    "100 22 0:52 / /posix rw - nfs srv:/p rw,vers=3,local_lock=posix\n"
    "101 22 0:53 / /flock rw - nfs srv:/f rw,vers=3,local_lock=flock\n"
    "102 22 0:54 /x /work rw master:1 - lustre mds@tcp:/work rw,localflock,lazystatfs\n"
    "103 22 0:55 / /scratch rw - lustre mds@tcp:/scratch rw,flock,lazystatfs\n"
    "104 22 0:56 / /far rw - fuse.sshfs me@far:/ rw,user_id=1000\n"
    "105 22 0:57 / /win rw - cifs //srv/share rw,nobrl,vers=3.0\n"
    "106 22 0:58 / /bare rw - nfs srv:/bare\n";

START_TEST(kinds)
{
    static const struct {
        unsigned minor;
        const char *doubt;
    } table[] = {
        {50, NULL},
        {51, "it is on nfs, mounted with nolock"},
        {52, "it is on nfs, mounted with local_lock=posix"},
        {53, NULL},
        {54, "it is on lustre, mounted with localflock"},
        {55, NULL},
        {56, "it is on fuse.sshfs"},
        {57, "it is on cifs, mounted with nobrl"},
        {58, NULL},
        {59, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_free char *doubt = netlock_doubt(mounts, makedev(0, table[i].minor));
        if (table[i].doubt)
            ck_assert_pstr_eq(doubt, table[i].doubt);
        else
            ck_assert_ptr_null(doubt);
    }
    ck_assert_ptr_null(netlock_doubt(mounts, makedev(8, 1)));
    ck_assert_ptr_null(netlock_doubt_of("/proc")); /* the kernel's own */
    ck_assert_ptr_null(netlock_doubt_of("/there/is/none"));
}
END_TEST

/* What the kernel would not write. */
START_TEST(rejects)
{
    static const char *const table[] = {
        "",
        "\n\n",
        "x",
        "1 2 0:51",
        "1 2 0:51 / / rw",
        "1 2 0:51 / / rw -",
        "1 2 0:51 / / rw - ",
        "1 2 0:51 / / rw - nfs",
        "1 2 0:51 / / rw - nfs ",
        "1 2 0:51 / / rw - nfs srv",
        "1 2 0:51 / / rw - nfs srv rw,nolocks,xnolock",
        "a b 0:51 / / rw - nfs srv nolock",
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        ck_assert_ptr_null(netlock_doubt(table[i], makedev(0, 51)));
}
END_TEST

UNIT_MAIN("netlock", kinds, rejects)
