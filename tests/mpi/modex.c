/* SPDX-License-Identifier: BSD-3-Clause */
/* The PMIx API itself, without an MPI.  modex WHAT [ARG] is one of
 *     fence      put, fence that collects, get of all others' data
 *     direct     put, fence without data, get: each value is fetched from its owner's node
 *     late       the last rank commits only after the others have asked for its data
 *     subset     fences among even and odd ranks
 *     names      publish, lookup with wait, first read, unpublish, duplicate, timeout
 *     group      construct with a context id, fence of the group, destruct
 *     event      rank 0 notifies all others
 *     query      namespaces, proc table, supported keys
 *     log        each rank logs a line to the job's stdout
 *     signal     rank 0 signals the last rank (SIGUSR1)
 *     gone       the last rank dies; the fence of the others fails
 * Rank 0 prints "modex WHAT: N ranks: good". */
#include <pmix.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pmix_proc_t self;
static uint32_t size;

static void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "modex: rank %u: ", self.rank);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    PMIx_Abort(3, "modex failed", NULL, 0);
    exit(3);
}

static void must(pmix_status_t rc, pmix_status_t wanted, const char *what)
{
    if (rc != wanted)
        die("%s: %s, not %s", what, PMIx_Error_string(rc), PMIx_Error_string(wanted));
}

static void put(const char *key, uint32_t number)
{
    pmix_value_t value = {.type = PMIX_UINT32, .data.uint32 = number};
    must(PMIx_Put(PMIX_GLOBAL, key, &value), PMIX_SUCCESS, "put");
}

static void fence(bool collect)
{
    pmix_info_t info;
    PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
    must(PMIx_Fence(NULL, 0, &info, 1), PMIX_SUCCESS, "fence");
}

static void get(uint32_t rank, const char *key, uint32_t wanted)
{
    pmix_proc_t proc;
    pmix_value_t *value;
    PMIX_LOAD_PROCID(&proc, self.nspace, rank);
    must(PMIx_Get(&proc, key, NULL, 0, &value), PMIX_SUCCESS, key);
    if (value->type != PMIX_UINT32 || value->data.uint32 != wanted)
        die("%s of %u is %u, not %u", key, rank, value->data.uint32, wanted);
    PMIX_VALUE_RELEASE(value);
}

static void do_fence(void)
{
    for (uint32_t round = 0; round < 3; round++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", round);
        put(key, 1000 * round + self.rank);
        must(PMIx_Commit(), PMIX_SUCCESS, "commit");
        fence(true);
        for (uint32_t r = 0; r < size; r++)
            get(r, key, 1000 * round + r);
    }
}

static void do_direct(void)
{
    put("direct", 7 + self.rank);
    must(PMIx_Commit(), PMIX_SUCCESS, "commit");
    fence(false);
    for (uint32_t r = 0; r < size; r++)
        get(r, "direct", 7 + r);
}

static void do_late(void)
{
    uint32_t last = size - 1;
    if (self.rank == last) {
        /* wait until the others have arrived, by name, then until they had time to ask */
        pmix_pdata_t *data;
        pmix_info_t wait;
        int all = 0;
        PMIX_PDATA_CREATE(data, 1);
        PMIX_LOAD_KEY(data[0].key, "modex.asking");
        PMIX_INFO_LOAD(&wait, PMIX_WAIT, &all, PMIX_INT);
        if (size > 1)
            must(PMIx_Lookup(data, 1, &wait, 1), PMIX_SUCCESS, "lookup");
        PMIX_PDATA_FREE(data, 1);
        put("late", 99);
        must(PMIx_Commit(), PMIX_SUCCESS, "commit");
    } else if (self.rank == 0) {
        pmix_info_t info;
        PMIX_INFO_LOAD(&info, "modex.asking", "yes", PMIX_STRING);
        must(PMIx_Publish(&info, 1), PMIX_SUCCESS, "publish");
    }
    get(last, "late", 99);
}

static void do_subset(void)
{
    pmix_proc_t *procs;
    size_t n = 0;
    PMIX_PROC_CREATE(procs, size);
    for (uint32_t r = self.rank % 2; r < size; r += 2) {
        PMIX_LOAD_PROCID(&procs[n], self.nspace, r);
        n++;
    }
    put("subset", 5 * self.rank);
    must(PMIx_Commit(), PMIX_SUCCESS, "commit");
    for (int round = 0; round < 3; round++) {
        pmix_info_t info;
        bool yes = true;
        PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
        must(PMIx_Fence(procs, n, &info, 1), PMIX_SUCCESS, "fence of a subset");
    }
    for (size_t i = 0; i < n; i++)
        get(procs[i].rank, "subset", 5 * procs[i].rank);
    PMIX_PROC_FREE(procs, size);
    fence(false);
}

static pmix_status_t lookup(const char *key, int wait, int timeout, char *found,
                            size_t len)
{
    pmix_pdata_t *data;
    pmix_info_t info[2];
    size_t n = 0;
    PMIX_PDATA_CREATE(data, 1);
    PMIX_LOAD_KEY(data[0].key, key);
    if (wait >= 0)
        PMIX_INFO_LOAD(&info[n++], PMIX_WAIT, &wait, PMIX_INT);
    if (timeout > 0)
        PMIX_INFO_LOAD(&info[n++], PMIX_TIMEOUT, &timeout, PMIX_INT);
    pmix_status_t rc = PMIx_Lookup(data, 1, info, n);
    *found = '\0';
    if (rc == PMIX_SUCCESS && data[0].value.type == PMIX_STRING)
        snprintf(found, len, "%s", data[0].value.data.string);
    PMIX_PDATA_FREE(data, 1);
    return rc;
}

static pmix_status_t publish(const char *key, const char *value,
                             pmix_persistence_t persist)
{
    pmix_info_t info[2];
    PMIX_INFO_LOAD(&info[0], key, value, PMIX_STRING);
    PMIX_INFO_LOAD(&info[1], PMIX_PERSISTENCE, &persist, PMIX_PERSIST);
    return PMIx_Publish(info, 2);
}

static void do_names(void)
{
    char found[64];
    if (self.rank == 0) {
        must(lookup("modex.none", -1, 0, found, sizeof(found)), PMIX_ERR_NOT_FOUND,
             "lookup");
        must(lookup("modex.none", 0, 1, found, sizeof(found)), PMIX_ERR_TIMEOUT,
             "lookup with a timeout");
        must(publish("modex.a", "first", PMIX_PERSIST_APP), PMIX_SUCCESS, "publish");
        must(publish("modex.a", "again", PMIX_PERSIST_APP), PMIX_ERR_DUPLICATE_KEY,
             "publish of what is there");
    }
    must(lookup("modex.a", 0, 20, found, sizeof(found)), PMIX_SUCCESS,
         "lookup with wait");
    if (strcmp(found, "first") != 0)
        die("modex.a is '%s'", found);
    fence(false);
    if (self.rank == 0) {
        char *keys[] = {(char[]){"modex.a"}, NULL};
        must(PMIx_Unpublish(keys, NULL, 0), PMIX_SUCCESS, "unpublish");
        must(lookup("modex.a", -1, 0, found, sizeof(found)), PMIX_ERR_NOT_FOUND,
             "lookup of what was unpublished");
        must(publish("modex.once", "x", PMIX_PERSIST_FIRST_READ), PMIX_SUCCESS,
             "publish");
        must(lookup("modex.once", -1, 0, found, sizeof(found)), PMIX_SUCCESS,
             "first read");
        must(lookup("modex.once", -1, 0, found, sizeof(found)), PMIX_ERR_NOT_FOUND,
             "second read");
    }
    fence(false);
}

static void do_group(void)
{
    pmix_proc_t *procs;
    pmix_info_t info, *results = NULL;
    size_t nresults = 0, id = SIZE_MAX;
    bool yes = true;
    PMIX_PROC_CREATE(procs, size);
    for (uint32_t r = 0; r < size; r++)
        PMIX_LOAD_PROCID(&procs[r], self.nspace, r);
    PMIX_INFO_LOAD(&info, PMIX_GROUP_ASSIGN_CONTEXT_ID, &yes, PMIX_BOOL);
    must(PMIx_Group_construct("modexgroup", procs, size, &info, 1, &results, &nresults),
         PMIX_SUCCESS, "group construct");
    for (size_t i = 0; i < nresults; i++)
        if (strcmp(results[i].key, PMIX_GROUP_CONTEXT_ID) == 0)
            id = results[i].value.data.size;
    if (id == SIZE_MAX)
        die("the group has no context id");
    put("context", (uint32_t)id);
    must(PMIx_Commit(), PMIX_SUCCESS, "commit");
    fence(true);
    for (uint32_t r = 0; r < size; r++)
        get(r, "context", (uint32_t)id); /* the same for all */
    must(PMIx_Group_destruct("modexgroup", NULL, 0), PMIX_SUCCESS, "group destruct");
    PMIX_PROC_FREE(procs, size);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int seen, registered;

static void signal_seen(int *flag)
{
    pthread_mutex_lock(&lock);
    *flag = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
}

static void wait_seen(const int *flag)
{
    pthread_mutex_lock(&lock);
    while (!*flag)
        pthread_cond_wait(&cond, &lock);
    pthread_mutex_unlock(&lock);
}

static void on_event(size_t id, pmix_status_t status, const pmix_proc_t *source,
                     pmix_info_t info[], size_t ninfo, pmix_info_t results[],
                     size_t nresults, pmix_event_notification_cbfunc_fn_t done, void *arg)
{
    (void)id;
    (void)source;
    (void)info;
    (void)ninfo;
    (void)results;
    (void)nresults;
    (void)status;
    signal_seen(&seen);
    if (done)
        done(PMIX_EVENT_ACTION_COMPLETE, NULL, 0, NULL, NULL, arg);
}

static void on_registered(pmix_status_t status, size_t id, void *arg)
{
    (void)status;
    (void)id;
    (void)arg;
    signal_seen(&registered);
}

static void on_notified(pmix_status_t status, void *arg)
{
    (void)status;
    (void)arg;
}

static void do_event(void)
{
    pmix_status_t code = PMIX_EXTERNAL_ERR_BASE - 7;
    PMIx_Register_event_handler(&code, 1, NULL, 0, on_event, on_registered, NULL);
    wait_seen(&registered);
    fence(false);
    if (self.rank == 0)
        must(PMIx_Notify_event(code, &self, PMIX_RANGE_NAMESPACE, NULL, 0, on_notified,
                               NULL),
             PMIX_SUCCESS, "notify");
    else
        wait_seen(&seen);
    fence(false);
}

static void do_query(void)
{
    pmix_query_t query;
    pmix_info_t *info;
    size_t n;
    char *keys[] = {(char[]){PMIX_QUERY_NAMESPACES}, (char[]){PMIX_QUERY_PROC_TABLE},
                    (char[]){PMIX_QUERY_SUPPORTED_KEYS}, NULL};
    PMIX_QUERY_CONSTRUCT(&query);
    query.keys = keys;
    PMIX_QUERY_QUALIFIERS_CREATE(&query, 1);
    PMIX_INFO_LOAD(&query.qualifiers[0], PMIX_NSPACE, self.nspace, PMIX_STRING);
    must(PMIx_Query_info(&query, 1, &info, &n), PMIX_SUCCESS, "query");
    bool found[3] = {false, false, false};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(info[i].key, PMIX_QUERY_NAMESPACES) == 0)
            found[0] = strstr(info[i].value.data.string, self.nspace) != NULL;
        else if (strcmp(info[i].key, PMIX_QUERY_PROC_TABLE) == 0)
            found[1] = info[i].value.data.darray->size == size;
        else if (strcmp(info[i].key, PMIX_QUERY_SUPPORTED_KEYS) == 0)
            found[2] = strstr(info[i].value.data.string, PMIX_QUERY_PROC_TABLE) != NULL;
    }
    if (!found[0] || !found[1] || !found[2])
        die("query: %zu answers: namespaces %d, proc table %d, keys %d", n, found[0],
            found[1], found[2]);
}

static void do_log(void)
{
    pmix_info_t info;
    char text[64];
    snprintf(text, sizeof(text), "logged by rank %u\n", self.rank);
    PMIX_INFO_LOAD(&info, PMIX_LOG_STDOUT, text, PMIX_STRING);
    must(PMIx_Log(&info, 1, NULL, 0), PMIX_SUCCESS, "log");
}

static void do_signal(void)
{
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    fence(false);
    if (self.rank == 0) {
        pmix_proc_t target;
        pmix_info_t info;
        int signum = SIGUSR1;
        PMIX_LOAD_PROCID(&target, self.nspace, size - 1);
        PMIX_INFO_LOAD(&info, PMIX_JOB_CTRL_SIGNAL, &signum, PMIX_INT);
        must(PMIx_Job_control(&target, 1, &info, 1, NULL, NULL), PMIX_SUCCESS,
             "job control");
    }
    if (self.rank == size - 1 && (sigwait(&set, &got) != 0 || got != SIGUSR1))
        die("sigwait");
    fence(false);
}

static void do_gone(void)
{
    pmix_info_t info;
    bool yes = true;
    fence(false);
    if (self.rank == size - 1)
        _exit(0);
    PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
    pmix_status_t rc = PMIx_Fence(NULL, 0, &info, 1);
    if (rc == PMIX_SUCCESS)
        die("a fence with a dead task succeeded");
    printf("modex gone: rank %u: the fence failed\n", self.rank);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } table[] = {
        {"fence", do_fence},   {"direct", do_direct}, {"late", do_late},
        {"subset", do_subset}, {"names", do_names},   {"group", do_group},
        {"event", do_event},   {"query", do_query},   {"log", do_log},
        {"signal", do_signal}, {"gone", do_gone},
    };
    pmix_proc_t job;
    pmix_value_t *value;
    sigset_t set;
    const char *what = argc > 1 ? argv[1] : "fence";
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the library's threads start */
    if (PMIx_Init(&self, NULL, 0) != PMIX_SUCCESS) {
        fprintf(stderr, "modex: PMIx_Init failed\n");
        return 1;
    }
    PMIX_LOAD_PROCID(&job, self.nspace, PMIX_RANK_WILDCARD);
    must(PMIx_Get(&job, PMIX_JOB_SIZE, NULL, 0, &value), PMIX_SUCCESS, "job size");
    size = value->data.uint32;
    PMIX_VALUE_RELEASE(value);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, what) == 0)
            table[i].run();
    fence(false);
    if (self.rank == 0)
        printf("modex %s: %u ranks: good\n", what, size);
    PMIx_Finalize(NULL, 0);
    return 0;
}
