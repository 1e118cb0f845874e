/*
 * mmap_c.h - the bookkeeping of mmap, munmap and mprotect in an address space.
 *
 * The first part has libmmap's names, types and results; the second part,
 * below "Extensions", has what libmmap lacks. No function touches the memory
 * that it keeps books on: what to do there is up to the callbacks.
 *
 * Words. A space is a range of addresses, [start, start + len), in pages. A
 * mapping is protection, flags, file and offset, four numbers that are kept as
 * given; a region is a run of pages with one mapping. Adjacent pages with equal
 * mappings are one region, always.
 *
 * Units. Addresses and lengths are in bytes. A length is rounded up to whole
 * pages. An address that names a range must be a multiple of the page size; one
 * that is merely looked at need not be.
 *
 * Arguments that are refused by every function that takes them, with the error
 * value of that function and nothing changed:
 *   - a space that is NULL, or busy (see Callbacks);
 *   - an output pointer that is NULL, unless it says "or NULL";
 *   - a length of 0;
 *   - an address that must be a multiple of the page size and is not;
 *   - a range that is not wholly inside the space, however far, or wraps.
 * A call that is refused or runs out of memory has changed nothing and has
 * called nothing back, but where its own text says otherwise.
 *
 * Callbacks. A function that replaces, unmaps or changes regions calls `ufn`
 * (if it is not NULL) with each one: ascending, clipped to the range of the
 * call, with its mapping from before the change. Meanwhile the space is busy:
 * every function that is given this space returns its error value and does
 * nothing, queries too. Functions that return nothing do nothing either, and
 * cannot say so: mmap_destroy, mmap_reset, mmap_enable_aslr, mmap_mark_original
 * and mmap_unmap_non_original. Other spaces can be used.
 *
 * A callback returns. What leaves it by unwinding ends the program, by abort: a
 * C++ exception, a panic of other Rust code and, with glibc, the end of the
 * thread by pthread_exit or cancellation. A thread that may be cancelled has to
 * disable that around the call. longjmp out of a callback is undefined: at best
 * the change is half made and the space busy for good.
 *
 * Threads. Different spaces are independent. Of one space, functions that take
 * a `const struct MMapAddrSpace *` can run at the same time in several threads;
 * while any other function runs, no thread may use that space. The library has
 * no locks and no global state.
 *
 * Cost. O(log n + k) for n regions of which k are affected, unless it says
 * otherwise. No call allocates memory for each region that it affects.
 */
#ifndef GAPTREE_MMAP_C_H
#define GAPTREE_MMAP_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libmmap's header of this name has this guard. Whichever comes first declares
 * the first part; the extensions are here in any case.
 */
#ifndef LIBMMAP_C_H
#define LIBMMAP_C_H

/* A space; opaque. */
struct MMapAddrSpace;

/* What a page is mapped to. Protection, flags and file are not interpreted. */
struct MMapInfo {
  int prot;
  int flags;
  int fd;         /* negative: no file */
  int64_t offset; /* bytes; see mmap_set_offsets */
  bool original;  /* mapped when mmap_mark_original was called */
};

enum MMapError {
  MMAP_OK = 0,
  MMAP_INVAL = 1, /* an argument is refused, or the space is busy */
  MMAP_NOMEM = 2  /* no memory for the bookkeeping; nothing has changed */
};

/*
 * Called with a region: address and length in bytes, the mapping as it was, and
 * the pointer that was given along with the function.
 */
typedef void (*MMapUpdateFn)(uintptr_t start, size_t len, struct MMapInfo info,
                             void *udata);

/*
 * An empty space of all whole pages in [start, start + len), placing at the
 * lowest address that fits. The range may end at the very top of the address
 * space.
 *
 * NULL if there is no memory, if pagesize is not a power of two (0 is none: a
 * space without a page size has no pages), if the range wraps, if it has no
 * whole page, or if it has more than 2^62 - 1 of them.
 *
 * With pages of one byte, the byte at (uintptr_t)-1 is left out, for that
 * address means failure.
 */
struct MMapAddrSpace *mmap_create(uintptr_t start, size_t len, size_t pagesize);

/*
 * Frees the space. Does nothing for NULL, nor in a callback of the same space:
 * there the space lives on and must be destroyed after the call. O(n).
 */
void mmap_destroy(struct MMapAddrSpace *mm);

/*
 * Unmaps everything without reporting it; data is released. Bounds, page size, placement (a random
 * one goes on with its sequence) and the meaning of offsets stay. O(n).
 */
void mmap_reset(struct MMapAddrSpace *mm);

/*
 * From now on, places at random: every address that fits is equally likely,
 * and one seed gives one sequence of addresses. The sequence is easy to predict
 * for somebody who knows the seed.
 */
void mmap_enable_aslr(struct MMapAddrSpace *mm, uint64_t seed);

/*
 * Maps len bytes at hint, if hint is not 0, is a multiple of the page size and
 * the whole range is inside the space and free; otherwise where the placement
 * of the space puts them.
 *
 * The address, or (uintptr_t)-1 if a rule above refuses the call, nothing free
 * is long enough, or there is no memory.
 */
uintptr_t mmap_map_any(struct MMapAddrSpace *mm, uintptr_t hint, size_t len,
                       int prot, int flags, int fd, int64_t offset);

/*
 * Maps len bytes at addr. Calls ufn with each region that this replaces.
 *
 * addr, or (uintptr_t)-1 if a rule above refuses the call or there is no
 * memory.
 */
uintptr_t mmap_map_at(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                      int prot, int flags, int fd, int64_t offset,
                      MMapUpdateFn ufn, void *udata);

/*
 * Unmaps len bytes at addr. Calls ufn with each region; pages that are not
 * mapped are passed over.
 *
 * MMAP_OK, MMAP_INVAL if a rule above refuses the call, MMAP_NOMEM.
 */
enum MMapError mmap_unmap(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                          MMapUpdateFn ufn, void *udata);

/*
 * Whether the page that contains addr is mapped, and if so, to what: *info.
 * addr may be any address. *info is not written otherwise. O(log n).
 */
bool mmap_query_page(const struct MMapAddrSpace *mm, uintptr_t addr,
                     struct MMapInfo *info);

/*
 * Gives what is mapped in [addr, addr + len) this protection. Calls ufn with
 * each region, with its old protection, also where it does not change; pages
 * that are not mapped are passed over.
 *
 * MMAP_OK, MMAP_INVAL if a rule above refuses the call, MMAP_NOMEM.
 */
enum MMapError mmap_protect(struct MMapAddrSpace *mm, uintptr_t addr,
                            size_t len, int prot, MMapUpdateFn ufn,
                            void *udata);

/*
 * Marks everything that is mapped now as original. Adjacent regions that differ
 * in nothing else become one. O(n).
 */
void mmap_mark_original(struct MMapAddrSpace *mm);

/*
 * Unmaps everything that is not original, and calls ufn with each region.
 * Original pages that were unmapped or replaced meanwhile do not come back, nor
 * does their protection. O(n).
 */
void mmap_unmap_non_original(struct MMapAddrSpace *mm, MMapUpdateFn ufn,
                             void *udata);

#else /* LIBMMAP_C_H */

/*
 * libmmap's header came first. One that is too old for this library has no hint
 * here, which is an error, or lacks the second function.
 */
uintptr_t mmap_map_any(struct MMapAddrSpace *mm, uintptr_t hint, size_t len,
                       int prot, int flags, int fd, int64_t offset);
void mmap_enable_aslr(struct MMapAddrSpace *mm, uint64_t seed);

#endif /* LIBMMAP_C_H */

/* ---------------------------------------------------------------------------
 * Extensions
 *
 * libmmap has none of what follows. What is said at the top holds here too.
 * ------------------------------------------------------------------------ */

/* The version of this header, and what mmap_version says of the library. */
#define MMAP_VERSION "0.1.0"

/* The version of the library that runs: "MAJOR.MINOR.PATCH", static. */
const char *mmap_version(void);

/* Where a call without a fixed address maps. */
enum MMapPlacement {
  MMAP_PLACE_DEFAULT = 0, /* as the space says; not for mmap_set_placement */
  MMAP_PLACE_LOWEST = 1,  /* the lowest address that fits */
  MMAP_PLACE_HIGHEST = 2, /* the highest address that fits */
  MMAP_PLACE_RANDOM = 3,  /* as mmap_enable_aslr says */
  /* the address that fits with the least distance to the one given as seed */
  MMAP_PLACE_NEAREST = 4,
  /* best fit: in the shortest free range that is long enough; of equally short
   * ones the lowest or highest, and the lowest or highest address in it */
  MMAP_PLACE_BEST_LOWEST = 5,
  MMAP_PLACE_BEST_HIGHEST = 6
};

/*
 * Sets where mmap_map_any maps, one of enum MMapPlacement. seed is for
 * MMAP_PLACE_RANDOM, which starts its sequence again, and MMAP_PLACE_NEAREST, and
 * ignored by others.
 *
 * MMAP_OK, or MMAP_INVAL for any other number, NULL or a busy space. O(1).
 */
enum MMapError mmap_set_placement(struct MMapAddrSpace *mm, int placement,
                                  uint64_t seed);

/* What the offset of a file mapping means. */
enum MMapOffsets {
  /* The number is kept as given for every page, as libmmap does. */
  MMAP_OFFSETS_VERBATIM = 0,
  /* It is that of the first page and grows with the address: after a cut,
   * every page still has its own offset, and neighbours are one region only
   * where both addresses and offsets go on. It wraps at 2^64. */
  MMAP_OFFSETS_LINEAR = 1
};

/*
 * Sets what offsets mean, one of enum MMapOffsets, for mappings with fd >= 0
 * that are made from now on; those without a file are always verbatim. A new
 * space has MMAP_OFFSETS_VERBATIM.
 *
 * MMAP_OK, or MMAP_INVAL for any other number, NULL or a busy space. O(1).
 */
enum MMapError mmap_set_offsets(struct MMapAddrSpace *mm, int offsets);

/* What mmap_set_limits takes for no limit. */
#define MMAP_NO_LIMIT ((size_t)-1)

/*
 * From now on, a call that would leave more regions than this, or more bytes mapped,
 * and more than there are, fails as it does without memory: MMAP_NOMEM, or
 * (uintptr_t)-1 as an address. Nothing has changed then. What a call would leave is
 * foretold exactly; mmap_protect_until is refused if its callback could stop it where
 * there are too many.
 *
 * MMAP_OK, or MMAP_INVAL for NULL or a busy space. O(1).
 */
enum MMapError mmap_set_limits(struct MMapAddrSpace *mm, size_t regions,
                               size_t bytes);

/* What mmap_map_fixed_noreplace returns where something is mapped already. */
#define MMAP_EXIST 3

/*
 * Maps len bytes at addr if all of it is free (MAP_FIXED_NOREPLACE).
 *
 * MMAP_OK, MMAP_EXIST, MMAP_INVAL if a rule at the top refuses the call,
 * MMAP_NOMEM.
 */
int mmap_map_fixed_noreplace(struct MMapAddrSpace *mm, uintptr_t addr,
                             size_t len, int prot, int flags, int fd,
                             int64_t offset);

/* What a hint asks for. */
enum MMapHint {
  MMAP_HINT_EXACT = 0,      /* this address, a multiple of the page size: libmmap */
  MMAP_HINT_ROUND_DOWN = 1, /* the page that contains this address: Linux */
  MMAP_HINT_UPWARDS = 2     /* the lowest that fits at or above this address: BSD */
};

/*
 * Sets what regions keep free that carry the guard of this number: placement and
 * hints keep away from so many bytes next to them, rounded up to pages, as far as
 * nothing is mapped there. A guard is not mapped or reported, and a call with a
 * fixed address may map there, as below a stack on Linux. mmap_use_guard chooses the
 * number that mappings carry which are made from now on; a new space has 0, and of
 * itself no number has a guard.
 *
 * MMAP_OK, MMAP_INVAL for NULL or a busy space, MMAP_NOMEM. O(n log n); O(1) to use one.
 */
enum MMapError mmap_set_guard(struct MMapAddrSpace *mm, uint8_t number,
                              size_t below, size_t above);
enum MMapError mmap_use_guard(struct MMapAddrSpace *mm, uint8_t number);

/*
 * Takes a free range away from the user of the space, or gives back what is reserved
 * of one: nothing is placed in a reserved range, and a call that would map, unmap,
 * change or move a page there is refused whole with MMAP_INVAL. It is not mapped or reported,
 * and stays reserved through mmap_reset and in a copy.
 *
 * MMAP_OK, MMAP_EXIST if a page is mapped, MMAP_INVAL if a rule at the top refuses the
 * call, MMAP_NOMEM.
 */
int mmap_reserve(struct MMapAddrSpace *mm, uintptr_t addr, size_t len);
enum MMapError mmap_unreserve(struct MMapAddrSpace *mm, uintptr_t addr,
                              size_t len);

/*
 * Seals a range (mseal): a call that would map over, unmap, protect, extend, move or
 * copy a page there is refused whole with MMAP_INVAL. mmap_update can change and unseal
 * it; mmap_reset and mmap_unmap_non_original unmap it.
 *
 * MMAP_OK, MMAP_INVAL if a rule at the top refuses the call or a page is reserved,
 * MMAP_NOMEM, also if a page is not mapped.
 */
enum MMapError mmap_seal(struct MMapAddrSpace *mm, uintptr_t addr, size_t len);

/* Where mmap_map_any_with maps. All zeroes ask for nothing. */
struct MMapOptions {
  /* Taken if it is not 0, is as hint_rule asks, satisfies window and alignment,
   * and the whole range is free; ignored otherwise. */
  uintptr_t hint;
  /* The whole mapping is inside [window_start, window_start + window_len),
   * whatever part of that is inside the space. A length of 0 means the whole
   * space. */
  uintptr_t window_start;
  size_t window_len;
  /* The address is a multiple of this, a power of two; 0 and what is below the
   * page size ask for the page size. */
  size_t align;
  /* One of enum MMapPlacement, and the seed of MMAP_PLACE_RANDOM, which is for
   * this call alone, or the address of MMAP_PLACE_NEAREST. */
  int placement;
  uint64_t seed;
  /* One of enum MMapHint. */
  int hint_rule;
  /* So many bytes next to the mapping are free too, and in the window; rounded up
   * to pages. */
  size_t margin_below;
  size_t margin_above;
};

/*
 * Maps len bytes as options say; NULL asks for nothing. The placement is
 * exact: if any address satisfies the options, one is found, and it is the one that
 * the placement says.
 *
 * The address, or (uintptr_t)-1 if a rule at the top refuses the call, the
 * alignment is neither 0 nor a power of two, the placement or the rule of the hint
 * is none, nothing fits, or there is no memory.
 */
uintptr_t mmap_map_any_with(struct MMapAddrSpace *mm, size_t len, int prot,
                            int flags, int fd, int64_t offset,
                            const struct MMapOptions *options);

/*
 * Where mmap_map_any_with would map; nothing changes, and a random placement
 * draws the same address again. (uintptr_t)-1 as there. O(log n).
 */
uintptr_t mmap_find_free(const struct MMapAddrSpace *mm, size_t len,
                         const struct MMapOptions *options);

/* A run of pages with one mapping. */
struct MMapRegion {
  uintptr_t start;      /* address of the first byte */
  size_t len;           /* bytes */
  struct MMapInfo info; /* the offset is that of the first byte */
};

/*
 * Whether addr, any address, is mapped, and if so, the whole region around it:
 * *region, which is not written otherwise. O(log n).
 */
bool mmap_query_region(const struct MMapAddrSpace *mm, uintptr_t addr,
                       struct MMapRegion *region);

/*
 * The first region that reaches beyond the end of *after, or the first of all
 * if after is NULL. Of *after only start and len are read; it may be *region.
 * false if there is none, and *region is not written.
 *
 *     struct MMapRegion r;
 *     for (bool more = mmap_next_region(mm, NULL, &r); more;
 *          more = mmap_next_region(mm, &r, &r))
 *       use(&r);
 *
 * The space may change between two calls: no page above *after is passed over,
 * and the loop ends. O(log n).
 */
bool mmap_next_region(const struct MMapAddrSpace *mm,
                      const struct MMapRegion *after,
                      struct MMapRegion *region);

/*
 * Whether every byte of [addr, addr + len) is mapped with all bits of prot.
 * Any address and length will do; of no bytes it is true. If not, *bad is the
 * first address of which it is not true (0 for a buffer that runs past the
 * last address, if all before is accessible). bad: or NULL.
 *
 * false, and *bad == addr, for a space that is NULL or busy. Allocates nothing.
 */
bool mmap_check_access(const struct MMapAddrSpace *mm, uintptr_t addr,
                       size_t len, int prot, uintptr_t *bad);

/* Bounds of a space, and what is in it. */
struct MMapTotals {
  uintptr_t start;    /* address of the first byte */
  size_t len;         /* bytes, whole pages */
  size_t pagesize;    /* bytes */
  size_t regions;     /* how many there are */
  size_t mapped;      /* bytes */
  size_t largest_gap; /* bytes: the longest mapping that still fits, or 0 */
};

/*
 * Writes *totals; false for NULL or a busy space. O(log n).
 */
bool mmap_totals(const struct MMapAddrSpace *mm, struct MMapTotals *totals);

/*
 * A copy of a space: the same regions, with their data, the same reserved ranges,
 * guards, placement, random sequence, limits and meaning of offsets. To be destroyed like any other. NULL if there is no memory, for NULL, or
 * for a busy space. O(n).
 *
 * With a copy a call can be taken back whole: change the copy, do the real thing,
 * and keep whichever of the two is true.
 */
struct MMapAddrSpace *mmap_copy(const struct MMapAddrSpace *mm);

/* ---------------------------------------------------------------------------
 * Callbacks that stop, for instance because the real memory call was refused
 * ------------------------------------------------------------------------ */

/*
 * Called with a region as an MMapUpdateFn is. 0 goes on; any other number stops the
 * call. Then what was reported before has happened; this region and all behind it are
 * as before, and nothing is mapped.
 */
typedef int (*MMapStopFn)(uintptr_t start, size_t len, struct MMapInfo info,
                          void *udata);

/* What a call returns that its callback has stopped. */
#define MMAP_STOPPED 4

/*
 * The calls of the same name without _until, with a callback that can stop them.
 *
 * MMAP_OK, MMAP_STOPPED, MMAP_INVAL if a rule at the top refuses the call,
 * MMAP_NOMEM, also from mmap_map_at_until, which does not return an address.
 */
int mmap_map_at_until(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                      int prot, int flags, int fd, int64_t offset,
                      MMapStopFn ufn, void *udata);
int mmap_unmap_until(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                     MMapStopFn ufn, void *udata);
int mmap_protect_until(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                       int prot, MMapStopFn ufn, void *udata);
int mmap_unmap_non_original_until(struct MMapAddrSpace *mm, MMapStopFn ufn,
                                  void *udata);

/* ---------------------------------------------------------------------------
 * All of a mapping, and data of your own
 *
 * The functions with a 2 at the end are those of the same name without it, as openat2
 * is to openat: they take a mapping as a struct, data included, and report it so.
 * ------------------------------------------------------------------------ */

/*
 * What keeps count of the data of regions, for instance references to a file object:
 * the space calls copy when it has the number once more, and release when it has it
 * once less. Either can be NULL. It has a number once for each region; in the middle
 * of a call it may have it more often, also in one that is refused. What you hold
 * yourself is yours: no function takes a reference away from you.
 *
 * They are callbacks as all others are: meanwhile the space is busy, and they return.
 * They also run in mmap_reset, mmap_destroy, mmap_mark_original and, in pairs, in calls
 * that are refused. In mmap_copy, which several threads may call at the same time and so
 * they too, functions that take a `const struct MMapAddrSpace *` work. The struct is
 * read as long as a space has data with it.
 */
struct MMapDataFns {
  void (*copy)(uint64_t data);
  void (*release)(uint64_t data);
};

/*
 * All that is known of a mapping. Adjacent pages are one region if all of this is equal,
 * data and data_fns too; of linear offsets, if both addresses and offsets go on.
 */
struct MMapMapping {
  int prot;
  int flags;
  int fd;         /* negative: no file */
  int64_t offset; /* bytes */
  uint64_t data;  /* yours: a number, or a pointer */
  const struct MMapDataFns *data_fns; /* or NULL: nothing counts data */
  uint8_t guard;                      /* see mmap_set_guard */
  bool linear;                        /* see MMAP_OFFSETS_LINEAR */
  bool original; /* see mmap_mark_original; ignored where something is mapped */
  bool sealed;   /* see mmap_seal; ignored where something is mapped */
};

/* A run of pages with one mapping, or a gap: a run of pages that are not mapped. */
struct MMapSegment {
  uintptr_t start;
  size_t len; /* bytes */
  bool mapped;
  /* The offset is that of the first byte. Of a gap: fd -1, everything else 0. */
  struct MMapMapping mapping;
};

/*
 * Called with a region: as it was, clipped to the range of the call. 0 goes on; any
 * other number stops the call, as an MMapStopFn does. Its data is released after the
 * callback, if it leaves the space: copy it to keep it.
 */
typedef int (*MMapSegmentFn)(const struct MMapSegment *region, void *udata);

/*
 * mmap_map_any_with, with all of a mapping. NULL as mapping is refused.
 */
uintptr_t mmap_map_any2(struct MMapAddrSpace *mm, size_t len,
                        const struct MMapMapping *mapping,
                        const struct MMapOptions *options);

/*
 * mmap_map_at_until, mmap_unmap_until, mmap_unmap_non_original_until and
 * mmap_map_fixed_noreplace, with all of a mapping. ufn: or NULL.
 *
 * MMAP_OK, MMAP_STOPPED, MMAP_INVAL if a rule at the top refuses the call or mapping
 * is NULL, MMAP_NOMEM; mmap_map_fixed_noreplace2 also MMAP_EXIST.
 */
int mmap_map_at2(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                 const struct MMapMapping *mapping, MMapSegmentFn ufn,
                 void *udata);
int mmap_map_fixed_noreplace2(struct MMapAddrSpace *mm, uintptr_t addr,
                              size_t len, const struct MMapMapping *mapping);
int mmap_unmap2(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                MMapSegmentFn ufn, void *udata);
int mmap_unmap_non_original2(struct MMapAddrSpace *mm, MMapSegmentFn ufn,
                             void *udata);

/* What a call that changes a range does about pages that are not mapped. */
enum MMapHoles {
  MMAP_HOLES_SKIP = 0,  /* passes over them */
  MMAP_HOLES_STOP = 1,  /* MMAP_NOMEM at the first; what is below it has changed and was
                           reported: mprotect */
  MMAP_HOLES_REFUSE = 2 /* MMAP_NOMEM, and nothing has changed */
};

/*
 * mmap_protect_until, told what to do about holes: one of enum MMapHoles.
 *
 * MMAP_OK, MMAP_STOPPED, MMAP_INVAL if a rule at the top refuses the call or holes is
 * no such number, MMAP_NOMEM.
 */
int mmap_protect2(struct MMapAddrSpace *mm, uintptr_t addr, size_t len, int prot,
                  int holes, MMapSegmentFn ufn, void *udata);

/*
 * Called with a region as it is, clipped, and its mapping, in which the callback changes
 * what it likes. 0 goes on; any other number stops the call, and this region is as
 * before. The space copies data that the callback puts in.
 */
typedef int (*MMapChangeFn)(const struct MMapSegment *region,
                            struct MMapMapping *mapping, void *udata);

/*
 * Changes any field of what is mapped in [addr, addr + len). Neighbours that are equal
 * then are one region. The bounds of the pieces cannot be changed.
 *
 * As mmap_protect2; NULL as ufn is refused.
 */
int mmap_update(struct MMapAddrSpace *mm, uintptr_t addr, size_t len, int holes,
                MMapChangeFn ufn, void *udata);

/*
 * Moves what is mapped in [from, from + len) to [to, to + len), regions with their data,
 * and holes; with keep, it stays at from as well. Each page keeps its own offset. Calls
 * ufn with each region that this replaces at to; what moves is not reported. What was
 * moved is not original.
 *
 * MMAP_OK, MMAP_STOPPED (to is unmapped so far, and nothing has moved), MMAP_INVAL if
 * a rule at the top refuses the call or the ranges have a page in common, MMAP_NOMEM.
 * Copies the bookkeeping: O(n), and its memory twice.
 */
int mmap_relocate(struct MMapAddrSpace *mm, uintptr_t from, size_t len,
                  uintptr_t to, bool keep, MMapSegmentFn ufn, void *udata);

/*
 * Maps by bytes behind the region around addr, any address, as that is mapped: its
 * offset goes on. The address of the first new byte: *mapped_at (or NULL), which is not
 * written otherwise.
 *
 * MMAP_OK, MMAP_EXIST if something is in the way, MMAP_INVAL if by is 0, the region is
 * sealed, or the range is not wholly inside the space or reserved in part, MMAP_NOMEM,
 * also if addr is not mapped.
 */
int mmap_extend(struct MMapAddrSpace *mm, uintptr_t addr, size_t by,
                uintptr_t *mapped_at);

/*
 * The region or gap around addr, any address, whole: *segment. false if addr is not in
 * the space, and *segment is not written. O(log n).
 */
bool mmap_query_segment(const struct MMapAddrSpace *mm, uintptr_t addr,
                        struct MMapSegment *segment);

/*
 * The first region or gap that has a byte in [addr, addr + len) and reaches beyond the
 * end of *after (NULL: the first of all), clipped to the pages of the range and to
 * what is above that end: *segment.
 * They tile the range, as far as it is inside the space. Any address and length will
 * do. Of *after only start and len are read; it may be *segment.
 *
 *     struct MMapSegment s;
 *     for (bool more = mmap_next_segment(mm, addr, len, NULL, &s); more;
 *          more = mmap_next_segment(mm, addr, len, &s, &s))
 *       use(&s);
 *
 * false if there is none, and *segment is not written. O(log n). Allocates nothing, and
 * runs no callback.
 */
bool mmap_next_segment(const struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                       const struct MMapSegment *after,
                       struct MMapSegment *segment);

/*
 * How many bytes of [addr, addr + len) are mapped; any address and length will do. 0
 * for a space that is NULL or busy. O(log n + k) for k regions.
 */
size_t mmap_mapped_bytes_in(const struct MMapAddrSpace *mm, uintptr_t addr,
                            size_t len);

#ifdef __cplusplus
}
#endif

#endif /* GAPTREE_MMAP_C_H */
