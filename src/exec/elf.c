/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

#define TABLE_MAX (16u << 20) /* no sane table is longer */
#define NEEDED_MAX 4096

/* N bytes at POS as new memory with a 0 byte after them; NULL: not all there. */
static char *slice(int fd, uint64_t pos, uint64_t n)
{
    if (n == 0 || n > TABLE_MAX || pos > INT64_MAX - n)
        return NULL;
    cleanup_free char *buf = xmalloc(n + 1);
    uint64_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, buf + got, n - got, (off_t)(pos + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return NULL;
        got += (uint64_t)k;
    }
    buf[n] = '\0';
    return take(buf);
}

/* Where in the file the byte is that is loaded at address ADDR. */
static bool file_offset(const Elf64_Phdr *ph, unsigned n, uint64_t addr, uint64_t *off)
{
    for (unsigned i = 0; i < n; i++)
        if (ph[i].p_type == PT_LOAD && addr >= ph[i].p_vaddr &&
            addr - ph[i].p_vaddr < ph[i].p_filesz) {
            *off = addr - ph[i].p_vaddr + ph[i].p_offset;
            return true;
        }
    return false;
}

static bool read_needed(int fd, const Elf64_Phdr *ph, unsigned n, const Elf64_Dyn *dyn,
                        size_t ndyn, struct elf_info *info)
{
    uint64_t addr = 0, size = 0, off;
    for (size_t i = 0; i < ndyn && dyn[i].d_tag != DT_NULL; i++) {
        if (dyn[i].d_tag == DT_STRTAB)
            addr = dyn[i].d_un.d_ptr;
        else if (dyn[i].d_tag == DT_STRSZ)
            size = dyn[i].d_un.d_val;
    }
    if (!file_offset(ph, n, addr, &off))
        return false;
    cleanup_free char *strings = slice(fd, off, size);
    if (!strings)
        return false;
    for (size_t i = 0; i < ndyn && dyn[i].d_tag != DT_NULL; i++) {
        if (dyn[i].d_tag != DT_NEEDED)
            continue;
        if (dyn[i].d_un.d_val >= size || info->n >= NEEDED_MAX)
            return false;
        info->needed = xrealloc(info->needed, (info->n + 1) * sizeof(*info->needed));
        info->needed[info->n++] = xstrdup(strings + dyn[i].d_un.d_val);
    }
    static const char name[] = "\0dlopen"; /* with both terminators */
    info->dlopens = memmem(strings, size, name, sizeof(name)) != NULL;
    return true;
}

static bool read_elf(int fd, struct elf_info *info)
{
    Elf64_Ehdr eh;
    if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(Elf64_Phdr) ||
        eh.e_phnum == 0)
        return false;
    info->kind = ELF_PROGRAM;
    cleanup_free char *headers =
        slice(fd, eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr));
    if (!headers)
        return false;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(void *)headers;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        if (ph[i].p_type == PT_INTERP && ph[i].p_filesz < 4096 && !info->interpreter)
            info->interpreter = slice(fd, ph[i].p_offset, ph[i].p_filesz);
        if (ph[i].p_type != PT_DYNAMIC || info->needed)
            continue;
        cleanup_free char *dyn = slice(fd, ph[i].p_offset, ph[i].p_filesz);
        if (!dyn || !read_needed(fd, ph, eh.e_phnum, (const Elf64_Dyn *)(void *)dyn,
                                 ph[i].p_filesz / sizeof(Elf64_Dyn), info))
            return false;
    }
    return true;
}

bool elf_read(const char *path, struct elf_info *info)
{
    *info = (struct elf_info){0};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char head[512];
    ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head) - 1, 0);
    if (n < 4)
        return n >= 0;
    head[n] = '\0';
    if (memcmp(head, ELFMAG, SELFMAG) == 0)
        return read_elf(fd, info);
    if (memcmp(head, "#!", 2) == 0) {
        info->kind = ELF_SCRIPT;
        const char *p = head + 2 + strspn(head + 2, " \t");
        info->interpreter = xstrndup(p, strcspn(p, "\r\n"));
    }
    return true;
}

void elf_free(struct elf_info *info)
{
    for (size_t i = 0; i < info->n; i++)
        free(info->needed[i]);
    free(info->needed);
    free(info->interpreter);
    *info = (struct elf_info){0};
}
