/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/procid.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

START_TEST(a_process_lives_and_dies)
{
    struct procid p, zombie;
    siginfo_t info;
    pid_t pid = sleeper();
    ck_assert(procid_get(&p, pid));
    ck_assert_int_eq(p.pid, pid);
    ck_assert_uint_gt(p.start, 0);
    ck_assert(procid_alive(&p));
    procid_kill(&p, SIGKILL);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_msg(!procid_alive(&p), "a zombie is taken for alive");
    ck_assert(!procid_get(&zombie, pid));
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!procid_alive(&p));
    procid_kill(&p, SIGKILL); /* nothing happens */
}
END_TEST

START_TEST(another_one_with_its_number_is_not_hit)
{
    struct procid p;
    siginfo_t info = {0};
    pid_t pid = sleeper();
    ck_assert(procid_get(&p, pid));
    struct procid former = {pid, p.start - 1};
    ck_assert(!procid_alive(&former));
    procid_kill(&former, SIGKILL);
    procid_kill(&p, SIGSTOP);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED), 0);
    ck_assert_int_eq(info.si_code, CLD_STOPPED);
    procid_kill(&p, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(no_process)
{
    static const pid_t none[] = {0, -1, 0x7fffffff};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct procid p;
        ck_assert(!procid_get(&p, none[i]));
        ck_assert_int_eq(p.pid, 0);
        ck_assert(!procid_alive(&p));
        procid_kill(&p, SIGKILL);
    }
}
END_TEST

UNIT_MAIN("procid", a_process_lives_and_dies, another_one_with_its_number_is_not_hit,
          no_process)
