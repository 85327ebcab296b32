/* SPDX-License-Identifier: BSD-3-Clause */
/* elf: what a file says of itself: the libraries that an ELF program asks for, or the interpreter
 * that a script names. */
#ifndef HBATCH_EXEC_ELF_H
#define HBATCH_EXEC_ELF_H

#include <stdbool.h>
#include <stddef.h>

enum elf_kind { ELF_OTHER, ELF_PROGRAM, ELF_SCRIPT };

struct elf_info {
    enum elf_kind kind;
    char *
        interpreter; /* dynamic loader, or the script's "#!" line after the marks; or NULL */
    char **needed; /* DT_NEEDED, n of them */
    size_t n;
    bool dlopens; /* it refers to dlopen */
};

/* Look into PATH; false: it cannot be read, or is malformed. elf_free in any case. */
bool elf_read(const char *path, struct elf_info *info);
void elf_free(struct elf_info *info);

#endif
