/* A fork-join pool for regions of microseconds: one state word that workers
 * watch, the caller takes part, workers spin between regions and sleep when
 * none come.
 *
 * The state word holds the generation, the number of slots and how many workers
 * have entered. A worker enters by compare-and-swap while the region is open;
 * the caller closes it when its own share is done and waits only for those who
 * entered, never for a worker that is still waking up.
 */
#define _POSIX_C_SOURCE 200809L
#include "Internal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Waking a sleeping thread costs about 45 us, so spinning less than that
 * between runs is no gain; within a run a serial stretch of launches may be
 * longer. */
#define SPIN_IDLE_NS 100000
#define SPIN_IN_RUN_NS 2000000
/* Pauses before a caller that waits for the last worker lets others onto its
 * core. */
#define PAUSES_BEFORE_YIELD 2000

#define STATE_ENTERED UINT64_C(0xffff)
#define STATE_OPEN (UINT64_C(1) << 16)
#define STATE_SLOTS_SHIFT 17
#define STATE_SLOTS UINT64_C(0x7fff)
#define STATE_GENERATION_SHIFT 32

typedef struct worker {
  effrt_pool *pool;
  pthread_t thread;
  int32_t slot;
} worker;

struct effrt_pool {
  atomic_int refs;
  int32_t num_threads;
  effrt_parallel_for_fn parallel_for; /* the application's, or null */
  void *user;
  worker *workers;
  int32_t num_workers;
  pthread_mutex_t mutex; /* with `wake`, only for sleeping */
  pthread_cond_t wake;
  void (*fn)(void *ctx, int64_t slot); /* of the open region */
  void *ctx;
  _Alignas(EFFRT_CACHE_LINE) _Atomic uint64_t state;
  _Alignas(EFFRT_CACHE_LINE) _Atomic uint64_t
      done; /* workers that left the region */
  _Alignas(EFFRT_CACHE_LINE) atomic_bool busy; /* a region is running */
  atomic_int active;                           /* runs under way */
  atomic_int sleepers;
  atomic_bool stop;
};

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint32_t generation(uint64_t state) {
  return (uint32_t)(state >> STATE_GENERATION_SHIFT);
}

/* Something for a worker to look at: a region after `seen`, or the end. */
static bool has_news(effrt_pool *pool, uint32_t seen) {
  return generation(atomic_load(&pool->state)) != seen ||
         atomic_load(&pool->stop);
}

/* Sleeping and waking follow Dekker: the sleeper announces itself, then looks
 * again; the caller changes what is looked at, then looks for sleepers. All of
 * it sequentially consistent. */
static void sleep_until_woken(effrt_pool *pool, uint32_t seen) {
  (void)pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  if (!has_news(pool, seen) && atomic_load(&pool->active) == 0)
    (void)pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  (void)pthread_mutex_unlock(&pool->mutex);
}

/* As above, but also during a run that has been serial for long: only a region
 * wakes it. */
static void sleep_until_region(effrt_pool *pool, uint32_t seen) {
  (void)pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  if (!has_news(pool, seen))
    (void)pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  (void)pthread_mutex_unlock(&pool->mutex);
}

static void wake_sleepers(effrt_pool *pool) {
  if (atomic_load(&pool->sleepers) == 0)
    return;
  (void)pthread_mutex_lock(&pool->mutex);
  (void)pthread_cond_broadcast(&pool->wake);
  (void)pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_news(effrt_pool *pool, uint32_t seen) {
  int64_t start = now_ns();
  for (unsigned spins = 1; !has_news(pool, seen); ++spins) {
    pause_cpu();
    if (spins % 64 != 0)
      continue;
    int64_t waited = now_ns() - start;
    if (waited >= SPIN_IN_RUN_NS) {
      sleep_until_region(pool, seen);
      start = now_ns();
    } else if (waited >= SPIN_IDLE_NS && atomic_load(&pool->active) == 0) {
      sleep_until_woken(pool, seen);
      start = now_ns();
    }
  }
}

static void *work(void *argument) {
  worker *self = argument;
  effrt_pool *pool = self->pool;
  uint32_t seen = 0;
  for (;;) {
    wait_for_news(pool, seen);
    if (atomic_load(&pool->stop))
      return NULL;
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_acquire);
    uint64_t slots = state >> STATE_SLOTS_SHIFT & STATE_SLOTS;
    if (!(state & STATE_OPEN) || (uint64_t)self->slot >= slots) {
      seen = generation(state);
      continue;
    }
    if (!atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1,
                                               memory_order_acq_rel,
                                               memory_order_relaxed))
      continue;
    seen = generation(state);
    pool->fn(pool->ctx, self->slot);
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
  }
}

static void run_region(effrt_pool *pool, void (*fn)(void *ctx, int64_t slot),
                       void *ctx, int32_t slots) {
  pool->fn = fn;
  pool->ctx = ctx;
  atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
  uint64_t next = (uint64_t)generation(
      atomic_load_explicit(&pool->state, memory_order_relaxed));
  next = (next + 1)
         << STATE_GENERATION_SHIFT; /* wraps; equality is all that matters */
  atomic_store(&pool->state,
               next | (uint64_t)slots << STATE_SLOTS_SHIFT | STATE_OPEN);
  wake_sleepers(pool);
  fn(ctx, 0);
  uint64_t state = atomic_fetch_and_explicit(&pool->state, ~STATE_OPEN,
                                             memory_order_acq_rel);
  uint64_t entered = state & STATE_ENTERED;
  for (unsigned spins = 0;
       atomic_load_explicit(&pool->done, memory_order_acquire) != entered;
       ++spins) {
    if (spins < PAUSES_BEFORE_YIELD)
      pause_cpu();
    else
      (void)sched_yield();
  }
}

void effrt_pool_run(effrt_pool *pool, void (*fn)(void *ctx, int64_t slot),
                    void *ctx, int32_t slots) {
  /* Computing alone beats waiting for the other region: its threads are busy
   * anyway. */
  if (slots <= 1 ||
      atomic_exchange_explicit(&pool->busy, true, memory_order_acquire)) {
    fn(ctx, 0);
    return;
  }
  if (pool->parallel_for)
    pool->parallel_for(pool->user, fn, ctx, slots);
  else
    run_region(pool, fn, ctx, slots);
  atomic_store_explicit(&pool->busy, false, memory_order_release);
}

void effrt_pool_enter(effrt_pool *pool) {
  atomic_fetch_add(&pool->active, 1);
  wake_sleepers(pool);
}

void effrt_pool_leave(effrt_pool *pool) { atomic_fetch_sub(&pool->active, 1); }

static void free_pool(effrt_pool *pool) {
  atomic_store(&pool->stop, true);
  wake_sleepers(pool);
  for (int32_t i = 0; i < pool->num_workers; ++i)
    (void)pthread_join(pool->workers[i].thread, NULL);
  (void)pthread_cond_destroy(&pool->wake);
  (void)pthread_mutex_destroy(&pool->mutex);
  free(pool->workers);
  free(pool);
}

/* Workers block all signals: handlers of the application run on its own
 * threads. */
static effrt_status start_workers(effrt_pool *pool, effrt_message *message) {
  pool->workers = calloc((size_t)pool->num_threads, sizeof(*pool->workers));
  if (!pool->workers)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  for (int32_t i = 0; i + 1 < pool->num_threads && error == 0; ++i) {
    worker *w = &pool->workers[i];
    w->pool = pool;
    w->slot = i + 1;
    error = pthread_create(&w->thread, NULL, work, w);
    pool->num_workers += error == 0;
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error)
    return effrt_fail(message, EFFRT_STATUS_SYSTEM_ERROR,
                      "cannot start thread %d of %d (error %d)",
                      pool->num_workers + 2, pool->num_threads, error);
  return EFFRT_STATUS_OK;
}

static effrt_status init_pool(effrt_pool *pool,
                              const effrt_pool_options *options,
                              effrt_message *message) {
  memset(pool, 0, sizeof(*pool));
  atomic_init(&pool->refs, 1);
  pool->num_threads =
      options->num_threads ? options->num_threads : effrt_cpu_count();
  pool->parallel_for = options->parallel_for;
  pool->user = options->user;
  if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
    free(pool);
    return effrt_fail(message, EFFRT_STATUS_SYSTEM_ERROR,
                      "cannot create a mutex");
  }
  if (pthread_cond_init(&pool->wake, NULL) != 0) {
    (void)pthread_mutex_destroy(&pool->mutex);
    free(pool);
    return effrt_fail(message, EFFRT_STATUS_SYSTEM_ERROR,
                      "cannot create a condition variable");
  }
  effrt_status status =
      pool->parallel_for ? EFFRT_STATUS_OK : start_workers(pool, message);
  if (status)
    free_pool(pool);
  return status;
}

effrt_status effrt_pool_create(const effrt_pool_options *options,
                               effrt_pool **out, effrt_message *message) {
  if (message)
    message->text[0] = 0;
  effrt_pool_options known;
  if (!out || !effrt_read_options(&known, sizeof(known), options))
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "null argument or pool options of an unknown version");
  if (known.num_threads < 0 || known.num_threads > EFFRT_MAX_THREADS)
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "%d threads asked for, expected 0 (one per core) to %d",
                      known.num_threads, EFFRT_MAX_THREADS);
  effrt_pool *pool = effrt_alloc(sizeof(*pool));
  if (!pool)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  effrt_status status = init_pool(pool, &known, message);
  if (!status)
    *out = pool;
  return status;
}

void effrt_pool_retain(effrt_pool *pool) {
  atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
}

void effrt_pool_destroy(effrt_pool *pool) {
  if (pool &&
      atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
    free_pool(pool);
}

int32_t effrt_pool_num_threads(const effrt_pool *pool) {
  return pool ? pool->num_threads : 0;
}
