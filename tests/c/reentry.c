/* reentry.c - every function, called from inside every callback: refused with
 * its error value, and nothing changes. */
#include "check.h"

static const uintptr_t base = 0x100000;

/* What a callback is given. */
struct Inside {
  struct MMapAddrSpace *mm;
  struct MMapAddrSpace *other;
  int calls;
};

/* If a refused call ran its callback, this ends the program. */
static void never(uintptr_t start, size_t len, struct MMapInfo info,
                  void *udata) {
  (void)len, (void)info, (void)udata;
  CHECK_EQ(start, NONE);
}

/* The same for an update. */
static int keep(const struct MMapSegment *region, struct MMapMapping *mapping,
                void *udata) {
  (void)mapping, (void)udata;
  CHECK_EQ(region->start, NONE);
  return 0;
}

static void everything_is_refused(struct MMapAddrSpace *mm, uintptr_t addr) {
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
  CHECK_EQ(mmap_set_guard(mm, 1, 1, 1), MMAP_INVAL);
  CHECK_EQ(mmap_reserve(mm, 0, 1), MMAP_INVAL);
  CHECK_EQ(mmap_map_at_until(mm, addr, PAGE, 7, 0, -1, 0, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_until(mm, addr, PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_protect_until(mm, addr, PAGE, 7, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_non_original_until(mm, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_any2(mm, PAGE, &mapping, NULL), NONE);
  CHECK_EQ(mmap_map_at2(mm, addr, PAGE, &mapping, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace2(mm, base, PAGE, &mapping), MMAP_INVAL);
  CHECK_EQ(mmap_unmap2(mm, addr, PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_protect2(mm, addr, PAGE, 1, 0, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap_non_original2(mm, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_update(mm, addr, PAGE, 0, keep, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_relocate(mm, base, PAGE, base + PAGE, false, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_extend(mm, addr, PAGE, NULL), MMAP_INVAL);
  CHECK(!mmap_query_segment(mm, addr, &segment));
  CHECK(!mmap_next_segment(mm, 0, UINTPTR_MAX, NULL, &segment));
  CHECK_EQ(mmap_mapped_bytes_in(mm, 0, UINTPTR_MAX), 0);
}

static void enter(uintptr_t start, size_t len, struct MMapInfo info,
                  void *udata) {
  struct Inside *inside = (struct Inside *)udata;
  struct MMapAddrSpace *fresh;
  (void)info;
  inside->calls++;
  everything_is_refused(inside->mm, start);
  /* Other spaces are free: one that was there, and one that comes and goes. */
  CHECK_EQ(mmap_map_at(inside->other, start, len, 1, 0, -1, 0, record,
                       &(struct Log){0}),
           start);
  fresh = mmap_create(base, len, PAGE);
  CHECK(fresh != NULL);
  CHECK_EQ(mmap_map_any(fresh, 0, len, 1, 0, -1, 0), base);
  mmap_destroy(fresh);
  everything_is_refused(inside->mm, start);
}

/* Pages 2 to 13: three regions with a hole before the last. */
static struct MMapAddrSpace *prepared(void) {
  struct MMapAddrSpace *mm = mmap_create(base, 32 * PAGE, PAGE);
  CHECK(mm != NULL);
  mmap_map_at(mm, base + 2 * PAGE, 4 * PAGE, 3, 0, -1, 0, NULL, NULL);
  mmap_map_at(mm, base + 6 * PAGE, 2 * PAGE, 1, 0, -1, 0, NULL, NULL);
  mmap_map_at(mm, base + 10 * PAGE, 4 * PAGE, 5, 0, -1, 0, NULL, NULL);
  return mm;
}

static void call(int which, struct MMapAddrSpace *mm, MMapUpdateFn ufn,
                 void *udata) {
  const uintptr_t addr = base + 3 * PAGE;
  const size_t len = 9 * PAGE;
  switch (which) {
  case 0:
    CHECK_EQ(mmap_map_at(mm, addr, len, 4, 0, -1, 0, ufn, udata), addr);
    break;
  case 1:
    CHECK_EQ(mmap_unmap(mm, addr, len, ufn, udata), MMAP_OK);
    break;
  case 2:
    CHECK_EQ(mmap_protect(mm, addr, len, 0, ufn, udata), MMAP_OK);
    break;
  default:
    mmap_unmap_non_original(mm, ufn, udata);
  }
}

int main(void) {
  for (int which = 0; which < 4; which++) {
    struct MMapAddrSpace *mm = prepared(), *twin = prepared();
    struct MMapAddrSpace *other = mmap_create(base, 32 * PAGE, PAGE);
    struct Inside inside = {mm, other, 0};
    struct Log reported = {0}, after, expected;
    call(which, twin, record, &reported);
    CHECK_EQ(reported.count, 3);
    call(which, mm, enter, &inside);
    CHECK_EQ(inside.calls, 3);
    after = regions_of(mm);
    expected = regions_of(twin);
    CHECK(same_log(&after, &expected));
    /* Idle again; placement and offsets are as they were. */
    CHECK_EQ(mmap_map_any(mm, 0, PAGE, 1, 0, 3, 0), base);
    call(which, mm, NULL, NULL);
    mmap_destroy(mm);
    mmap_destroy(twin);
    mmap_destroy(other);
  }
  return 0;
}
