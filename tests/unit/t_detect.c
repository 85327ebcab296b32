/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/detect.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pmi/pmi.h"
#include "src/common/path.h"
#include "src/common/util.h"
#include "src/exec/elf.h"
#include "tests/unit/unit.h"

#define BOTH (PMI_PMIX | PMI_WIRE)

START_TEST(libraries)
{
    static const struct {
        const char *name;
        int kinds;
    } table[] = {
        {"libmpi.so.40", PMI_PMIX},
        {"libmpi.so.20", PMI_PMIX},
        {"libmpi.so.12", PMI_WIRE},
        {"libmpi.so", BOTH},
        {"libmpi_mpifh.so.40", PMI_PMIX},
        {"libmpi_cray.so.12", PMI_WIRE},
        {"libmpich.so.12", PMI_WIRE},
        {"libmpichcxx.so.12", PMI_WIRE},
        {"libpmix.so.2", PMI_PMIX},
        {"libpmi.so.1", BOTH},
        {"libpmi2.so.0", BOTH},
        {"/usr/lib/x/libmpi.so.40", PMI_PMIX},
        {"libc.so.6", 0},
        {"libm.so.6", 0},
        {"libstdc++.so.6", 0},
        {"ld-linux-x86-64.so.2", 0},
        {"/lib64/ld-linux-x86-64.so.2", 0},
        {"libfoo.so.1", -1},
        {"libmpicommon.so", -1},
        {"libmath.so", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        ck_assert_msg(detect_library(table[i].name) == table[i].kinds, "%s: %d",
                      table[i].name, detect_library(table[i].name));
}
END_TEST

static char *dir;

static char *script(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write_all(fd, text, strlen(text)), 0);
    close(fd);
    return path;
}

START_TEST(commands)
{
    dir = path_make_tmpdir("t_detect-", NULL);
    struct detect *d = detect_create();
    static const struct {
        const char *name, *text, *words[5];
        unsigned one, many;
    } table[] = {
        {"s1", "#!/bin/sh\n", {NULL}, 0, BOTH},
        {"s2", "#!/usr/bin/python3\n", {NULL}, PMI_PMIX, BOTH},
        {"s3", "#!/usr/bin/env python3\n", {NULL}, PMI_PMIX, BOTH},
        {"s4", "#! /usr/bin/env -S VAR=1 python3.11 -u\nx", {NULL}, PMI_PMIX, BOTH},
        {"s5", "#!/usr/bin/env\n", {NULL}, 0, BOTH},
        {"s6", "no interpreter\n", {NULL}, 0, BOTH},
        {"s7", "", {NULL}, 0, BOTH},
        {"mpirun", "#!/bin/sh\n", {"-n", "2"}, 0, 0},
        {"python3", "#!/bin/sh\n", {"x.py"}, PMI_PMIX, BOTH},
        {"env", "\177ELF", {"A=1", "python3", "x"}, PMI_PMIX, BOTH},
        {"nice", "\177ELF", {"-n", "5", "env", "python3"}, PMI_PMIX, BOTH},
        {"timeout", "\177ELF", {"10", "s1"}, 0, BOTH},
        {"time", "\177ELF", {NULL}, 0, 0},
        {"nohup", "\177ELF", {"mpirun"}, 0, 0},
    };
    for (int round = 0; round < 2; round++) /* the second: all are there, and cached */
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            cleanup_free char *path = script(table[i].name, table[i].text);
            if (round == 0)
                continue;
            const char *argv[8] = {path};
            for (size_t k = 0; k < 5; k++)
                argv[k + 1] = table[i].words[k];
            char *const *words = (char *const *)(uintptr_t)argv;
            unsigned one = detect_kinds(d, path, words, 1, dir, "/");
            unsigned many = detect_kinds(d, path, words, 2, dir, "/");
            ck_assert_msg(one == table[i].one && many == table[i].many, "%s: %u %u",
                          table[i].name, one, many);
        }
    detect_destroy(d);
    path_remove_tree(dir);
    free(dir);
}
END_TEST

START_TEST(programs_of_this_machine)
{
    struct detect *d = detect_create();
    struct detect_result r = detect_file(d, "/bin/true");
    ck_assert_uint_eq(r.kinds, 0);
    ck_assert(!r.maybe);
    if (access("/bin/bash", X_OK) == 0) /* it can load builtins */
        ck_assert(detect_file(d, "/bin/bash").maybe);
    ck_assert(!detect_file(d, "/nonexistent").maybe);
    ck_assert(!detect_file(d, "/").maybe);
    detect_destroy(d);
    struct elf_info info;
    ck_assert(elf_read("/bin/true", &info));
    ck_assert_int_eq(info.kind, ELF_PROGRAM);
    ck_assert_uint_ge(info.n, 1);
    ck_assert_ptr_nonnull(strstr(info.interpreter, "ld"));
    elf_free(&info);
}
END_TEST

/* Cut, and with changed bytes: an ELF file that lies must do no harm. */
START_TEST(survives_damage)
{
    size_t len;
    cleanup_free char *good = read_file("/bin/true", &len);
    ck_assert_ptr_nonnull(good);
    dir = path_make_tmpdir("t_detect-", NULL);
    cleanup_free char *path = xasprintf("%s/x", dir);
    unsigned seed = 3;
    for (int n = 0; n < 600; n++) {
        cleanup_free char *bad = xmalloc(len);
        memcpy(bad, good, len);
        size_t size = n < 200 ? (size_t)n : len;
        for (int k = 0; n >= 200 && k < 8; k++) {
            seed = seed * 1103515245u + 12345u;
            bad[(seed >> 12) % 1100] = (char)(seed >> 24);
        }
        memcpy(bad, ELFMAG, MIN(size, (size_t)SELFMAG));
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ck_assert_int_eq(write_all(fd, bad, size), 0);
        close(fd);
        struct elf_info info;
        elf_read(path, &info);
        elf_free(&info);
    }
    path_remove_tree(dir);
    free(dir);
}
END_TEST

UNIT_MAIN("detect", libraries, commands, programs_of_this_machine, survives_damage)
