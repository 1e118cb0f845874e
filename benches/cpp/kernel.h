// kernel.h - what lib/maple_tree.c asks of the rest of Linux, for one thread in
// user space and in the tree's favour: locks, read-copy-update and tracing are
// nothing, and memory comes from a list of free blocks of the thread's own.
#ifndef KERNEL_H
#define KERNEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_64BIT
#define EINVAL 22
#define EBUSY 16
#define EEXIST 17
#define ENOMEM 12

// The compiler.
#define __init
#define __maybe_unused __attribute__((unused))
#define __must_hold(lock)
#define __rcu
#define noinline __attribute__((noinline))
#define noinline_for_stack noinline
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define fallthrough __attribute__((fallthrough))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define EXPORT_SYMBOL(symbol) _Static_assert(1, "")
#define EXPORT_SYMBOL_GPL(symbol) _Static_assert(1, "")

// Arithmetic.
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define container_of(pointer, type, member)                                    \
  ((type *)((char *)(pointer) - offsetof(type, member)))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define min_t(type, a, b) min((type)(a), (type)(b))

// A broken tree ends the program.
static inline bool broken(bool condition) {
  if (unlikely(condition))
    abort();
  return condition;
}
#define BUG_ON(condition) ((void)broken(condition))
#define WARN_ON(condition) broken(condition)
#define WARN_ON_ONCE(condition) broken(condition)

// Nobody else is here.
typedef struct {
} spinlock_t;
#define spin_lock(lock) ((void)(lock))
#define spin_lock_init(lock) ((void)(lock))
#define spin_lock_nested(lock, subclass) ((void)(lock))
#define spin_unlock(lock) ((void)(lock))
#define lockdep_is_held(lock) true
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)

struct rcu_head {
  void *unused[2];
};
#define call_rcu(head, function) function(head)
#define rcu_assign_pointer(pointer, value) ((pointer) = (value))
#define RCU_INIT_POINTER(pointer, value) ((pointer) = (value))
#define rcu_dereference_check(pointer, condition) (pointer)
#define rcu_dereference_protected(pointer, condition) (pointer)
#define rcu_read_lock() ((void)0)
#define rcu_read_unlock() ((void)0)

#define tracepoint_string(string) (string)
#define trace_ma_op(...) ((void)0)
#define trace_ma_read(...) ((void)0)
#define trace_ma_write(...) ((void)0)

// Entries that are no pointers: the last two bits are 10, and the rest is a
// number, which for errors is negative.
static inline void *xa_mk_internal(unsigned long number) {
  return (void *)(number << 2 | 2);
}
static inline bool xa_is_internal(const void *entry) {
  return ((unsigned long)entry & 3) == 2;
}
static inline bool xa_is_node(const void *entry) {
  return xa_is_internal(entry) && (unsigned long)entry > 4096;
}
static inline bool xa_is_zero(const void *entry) {
  return unlikely(entry == xa_mk_internal(257));
}
static inline int xa_err(const void *entry) {
  const long number = (long)entry >> 2;
  return xa_is_internal(entry) && number < 0 && number >= -4095 ? (int)number : 0;
}
static inline bool xa_is_err(const void *entry) { return xa_err(entry) != 0; }
static inline bool xa_is_advanced(const void *entry) {
  return xa_is_internal(entry) && entry <= xa_mk_internal(256);
}

// Memory: blocks of one size, cut from larger pieces, which are kept.
struct pool {
  void *free;
};

static noinline void pool_grow(struct pool *pool, size_t size) {
  char *piece;
  if (posix_memalign((void **)&piece, 4096, 64 * size) != 0)
    abort();
  for (size_t i = 64; i-- > 0;) {
    void **block = (void **)(piece + i * size);
    *block = pool->free;
    pool->free = block;
  }
}

static inline void *pool_take(struct pool *pool, size_t size) {
  if (unlikely(pool->free == NULL))
    pool_grow(pool, size);
  void **block = pool->free;
  pool->free = *block;
  return block;
}

static inline void pool_give(struct pool *pool, void *block) {
  *(void **)block = pool->free;
  pool->free = block;
}

// The only cache that the tree has is that of its nodes, of 256 bytes.
struct kmem_cache;
static _Thread_local struct pool nodes;

typedef unsigned gfp_t;
#define GFP_KERNEL 0u
#define GFP_NOWAIT 0u
#define __GFP_NOWARN 0u
#define SLAB_PANIC 0
#define gfpflags_allow_blocking(gfp) true
#define kmem_cache_create(...) NULL
#define kmem_cache_alloc(cache, gfp) pool_take(&nodes, 256)
#define kmem_cache_free(cache, node) pool_give(&nodes, node)

static inline int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp,
                                        size_t count, void **blocks) {
  for (size_t i = 0; i < count; i++)
    blocks[i] = kmem_cache_alloc(cache, gfp);
  return (int)count;
}

static inline void kmem_cache_free_bulk(struct kmem_cache *cache, size_t count,
                                        void **blocks) {
  for (size_t i = 0; i < count; i++)
    kmem_cache_free(cache, blocks[i]);
}
#endif
