/* reentry.c - every function, called from inside every callback: refused with
 * its error value, and nothing changes. */
#include "refused.h"

static const uintptr_t base = 0x100000;

/* What a callback is given. */
struct Inside {
  struct MMapAddrSpace *mm;
  struct MMapAddrSpace *other;
  int calls;
};

static void enter(uintptr_t start, size_t len, struct MMapInfo info,
                  void *udata) {
  struct Inside *inside = (struct Inside *)udata;
  struct MMapAddrSpace *fresh;
  (void)info;
  inside->calls++;
  everything_is_refused(inside->mm, base, start);
  /* Other spaces are free: one that was there, and one that comes and goes. */
  CHECK_EQ(mmap_map_at(inside->other, start, len, 1, 0, -1, 0, record,
                       &(struct Log){0}),
           start);
  fresh = mmap_create(base, len, PAGE);
  CHECK(fresh != NULL);
  CHECK_EQ(mmap_map_any(fresh, 0, len, 1, 0, -1, 0), base);
  mmap_destroy(fresh);
  everything_is_refused(inside->mm, base, start);
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
