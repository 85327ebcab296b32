/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/sshdest.h"
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

/* The words for ssh, as a shell would have them. */
static char *words_of(const struct sshdest *d, bool terminal)
{
    struct strbuf b = {0};
    cleanup_free char **words = sshdest_words(d, terminal, "cd x; ls");
    for (size_t i = 0; words[i]; i++) {
        strbuf_add(&b, i ? " " : "");
        strbuf_add_shell(&b, words[i]);
    }
    return strbuf_take(&b);
}

START_TEST(good_ones)
{
    static const struct {
        const char *uri, *name, *host, *port, *path, *words;
    } table[] = {
        {"ssh://h/p", "h", "h", NULL, "/p", "ssh h 'cd x; ls'"},
        {"ssh://h.example.org/", "h.example.org", "h.example.org", NULL, "/",
         "ssh h.example.org 'cd x; ls'"},
        {"ssh://me@h/tmp/a b/sock-0", "me@h", "h", NULL, "/tmp/a b/sock-0",
         "ssh me@h 'cd x; ls'"},
        {"ssh://h:22/p", "h", "h", "22", "/p", "ssh -p 22 h 'cd x; ls'"},
        {"ssh://me@h:65535/p:1@2/q", "me@h", "h", "65535", "/p:1@2/q",
         "ssh -p 65535 me@h 'cd x; ls'"},
        {"ssh://a@b@h/p", "a@b@h", "h", NULL, "/p", "ssh a@b@h 'cd x; ls'"},
        {"ssh://[::1]/p", "::1", "::1", NULL, "/p", "ssh ::1 'cd x; ls'"},
        {"ssh://me@[fe80::1%eth0]:2022/p", "me@fe80::1%eth0", "fe80::1%eth0", "2022",
         "/p", "ssh -p 2022 me@fe80::1%eth0 'cd x; ls'"},
    };
    unsetenv("HBATCH_SSH");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct sshdest d;
        struct error err;
        ck_assert_msg(sshdest_decode(table[i].uri, &d, &err) == 0, "%s", err.text);
        ck_assert_str_eq(d.name, table[i].name);
        ck_assert_str_eq(d.host, table[i].host);
        ck_assert_pstr_eq(d.port, table[i].port);
        ck_assert_str_eq(d.path, table[i].path);
        cleanup_free char *words = words_of(&d, false);
        ck_assert_str_eq(words, table[i].words);
        sshdest_fini(&d);
    }
}
END_TEST

START_TEST(other_programs)
{
    struct sshdest d;
    ck_assert_int_eq(sshdest_decode("ssh://me@h:2/p", &d, NULL), 0);
    setenv("HBATCH_SSH", "/opt/my ssh", 1);
    cleanup_free char *words = words_of(&d, true);
    ck_assert_str_eq(words, "'/opt/my ssh' -t -p 2 me@h 'cd x; ls'");
    sshdest_fini(&d);
    setenv("HBATCH_SSH_RCMD", "/opt/hbatch", 1);
    cleanup_free char *said = sshdest_hbatch();
    ck_assert_str_eq(said, "/opt/hbatch");
    unsetenv("HBATCH_SSH_RCMD");
    setenv("PATH", "/nonexistent:relative", 1);
    cleanup_free char *unknown = sshdest_hbatch();
    ck_assert_str_eq(unknown, "hbatch");
}
END_TEST

START_TEST(here)
{
    static const struct {
        const char *form; /* %s: the name of this host */
        bool here;
    } table[] = {
        {"ssh://localhost/p", true}, {"ssh://%s/p", true},
        {"ssh://me@%s/p", false},    {"ssh://localhost:22/p", false},
        {"ssh://not-%s/p", false},
    };
    char own[256] = "";
    gethostname(own, sizeof(own) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct sshdest d;
        struct strbuf uri = {0};
        for (const char *p = table[i].form; *p; p++)
            if (*p == '%')
                p++, strbuf_add(&uri, own);
            else
                strbuf_addc(&uri, *p);
        ck_assert_int_eq(sshdest_decode(uri.s, &d, NULL), 0);
        ck_assert_msg(sshdest_is_here(&d) == table[i].here, "%s", uri.s);
        sshdest_fini(&d);
        free(uri.s);
    }
}
END_TEST

START_TEST(rejects)
{
    static const char *const table[] = {
        "",
        "h",
        "local:///p",
        "ssh:///p",
        "ssh://h",
        "ssh:/h/p",
        "ssh://-oX/p",
        "ssh://-u@h/p",
        "ssh://u@-h/p",
        "ssh://@h/p",
        "ssh://u@/p",
        "ssh://h:/p",
        "ssh://h:0/p",
        "ssh://h:x/p",
        "ssh://h:65536/p",
        "ssh://h:-1/p",
        "ssh://[::1/p",
        "ssh://[::1]x/p",
        "ssh://[]/p",
        "ssh://::1/p",
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct sshdest d;
        struct error err = {0};
        ck_assert_msg(sshdest_decode(table[i], &d, &err) < 0, "%s", table[i]);
        ck_error_names(err, table[i]);
        ck_assert_ptr_null(d.name);
    }
}
END_TEST

UNIT_MAIN("sshdest", good_ones, other_programs, here, rejects)
