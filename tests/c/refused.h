/* refused.h - every function refuses a space that is NULL or busy, with its error value,
 * and calls nothing back. */
#ifndef REFUSED_H
#define REFUSED_H

#include "check.h"

/* If a refused call ran its callback, this ends the program. */
static inline void never(uintptr_t start, size_t len, struct MMapInfo info,
                  void *udata) {
  (void)len, (void)info, (void)udata;
  CHECK_EQ(start, NONE);
}

/* The same for a callback that can stop, and for an update. */
static inline int never_stops(uintptr_t start, size_t len, struct MMapInfo info,
                              void *udata) {
  never(start, len, info, udata);
  return 0;
}

static inline int keep(const struct MMapSegment *region, struct MMapMapping *mapping,
                void *udata) {
  (void)mapping, (void)udata;
  CHECK_EQ(region->start, NONE);
  return 0;
}

/* Every function, of a space that is NULL or busy: base is where such a space begins,
 * addr a page of it. */
static inline void everything_is_refused(struct MMapAddrSpace *mm, uintptr_t base,
                                         uintptr_t addr) {
  struct MMapMapping mapping = {0};
  struct MMapSegment segment;
  struct MMapInfo info;
  struct MMapRegion region;
  struct MMapTotals totals;
  uintptr_t bad = 0;
  mmap_reset(mm);
  mmap_destroy(mm);
  mmap_destroy(mm);
  mmap_enable_aslr(mm, 1);
  mmap_mark_original(mm);
  mmap_unmap_non_original(mm, never, NULL);
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, 7, 0, -1, 0), NONE);
  CHECK_EQ(mmap_map_any(mm, base + 30 * PAGE, PAGE, 7, 0, -1, 0), NONE);
  CHECK_EQ(mmap_map_at(mm, addr, PAGE, 7, 0, -1, 0, never, NULL), NONE);
  CHECK_EQ(mmap_unmap(mm, addr, PAGE, never, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_protect(mm, addr, PAGE, 7, never, NULL), MMAP_INVAL);
  CHECK(!mmap_query_page(mm, addr, &info));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_HIGHEST, 0), MMAP_INVAL);
  CHECK_EQ(mmap_set_offsets(mm, MMAP_OFFSETS_LINEAR), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, base, PAGE, 7, 0, -1, 0), MMAP_INVAL);
  CHECK_EQ(mmap_map_any_with(mm, PAGE, 7, 0, -1, 0, NULL), NONE);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), NONE);
  CHECK(!mmap_query_region(mm, addr, &region));
  CHECK(!mmap_next_region(mm, NULL, &region));
  CHECK(!mmap_check_access(mm, addr, 1, 0, &bad));
  CHECK_EQ(bad, addr);
  CHECK(!mmap_check_access(mm, addr, 0, 0, NULL));
  CHECK(!mmap_totals(mm, &totals));
  CHECK(!mmap_copy(mm));
  CHECK_EQ(mmap_set_limits(mm, 0, 0), MMAP_INVAL);
  CHECK_EQ(mmap_use_guard(mm, 1), MMAP_INVAL);
  CHECK_EQ(mmap_set_guard(mm, 1, PAGE, PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_reserve(mm, base, PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_unreserve(mm, base, PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_seal(mm, addr, PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_map_at_until(mm, addr, PAGE, 7, 0, -1, 0, never_stops, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_until(mm, addr, PAGE, never_stops, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_protect_until(mm, addr, PAGE, 7, never_stops, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_non_original_until(mm, never_stops, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_any2(mm, PAGE, &mapping, NULL), NONE);
  CHECK_EQ(mmap_map_at2(mm, addr, PAGE, &mapping, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace2(mm, base, PAGE, &mapping), MMAP_INVAL);
  CHECK_EQ(mmap_unmap2(mm, addr, PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_protect2(mm, addr, PAGE, 1, 0, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_non_original2(mm, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_update(mm, addr, PAGE, 0, keep, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_relocate(mm, base, PAGE, base + PAGE, false, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_extend(mm, addr, PAGE, &bad), MMAP_INVAL);
  CHECK(!mmap_query_segment(mm, addr, &segment));
  CHECK(!mmap_next_segment(mm, 0, UINTPTR_MAX, NULL, &segment));
  CHECK_EQ(mmap_mapped_bytes_in(mm, 0, UINTPTR_MAX), 0);
}

#endif /* REFUSED_H */
