/* oom.c - every allocation fails once: the error value, nothing changed,
 * nothing called back; then the call succeeds when it is repeated.
 *
 * Linked with --wrap for every function that allocates, so that this program
 * decides, and the sanitizers below it still see everything. */
#include "check.h"

enum { REGIONS = 1000 };

/* How many allocations succeed until one fails; negative: all do. */
static long budget = -1;
/* Whether all fail after the first that does. */
static bool exhausted;
static long refused;

static bool denied(void) {
  if (budget < 0)
    return false;
  if (budget > 0) {
    budget--;
    return false;
  }
  refused++;
  if (!exhausted)
    budget = -1;
  return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **pointer, size_t align, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **pointer, size_t align, size_t size);

void *__wrap_malloc(size_t size) {
  return denied() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
  return denied() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *pointer, size_t size) {
  return denied() ? NULL : __real_realloc(pointer, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
  return denied() ? NULL : __real_aligned_alloc(align, size);
}
int __wrap_posix_memalign(void **pointer, size_t align, size_t size) {
  return denied() ? 12 /* ENOMEM */ : __real_posix_memalign(pointer, align, size);
}

/* How often data is held. */
static long held;
static void copy(uint64_t data) { (void)data, held++; }
static void release(uint64_t data) { (void)data, held--; }
static const struct MMapDataFns counted = {copy, release};

/* All regions, without a limit. */
static size_t snapshot(const struct MMapAddrSpace *mm, struct MMapRegion *out) {
  size_t count = 0;
  struct MMapRegion region;
  for (bool more = mmap_next_region(mm, NULL, &region); more;
       more = mmap_next_region(mm, &region, &region)) {
    CHECK(count < 2 * REGIONS);
    out[count++] = region;
  }
  return count;
}

static struct MMapRegion before[2 * REGIONS], after[2 * REGIONS];

static void count_calls(uintptr_t start, size_t len, struct MMapInfo info,
                        void *udata) {
  (void)start, (void)len, (void)info;
  ++*(int *)udata;
}

static int count_segments(const struct MMapSegment *region, void *udata) {
  (void)region;
  ++*(int *)udata;
  return 0;
}

static int other_data(const struct MMapSegment *region,
                      struct MMapMapping *mapping, void *udata) {
  mapping->data = region->start;
  mapping->data_fns = &counted;
  ++*(int *)udata;
  return 0;
}

/* A call by number; whether it succeeded, or else returned its error value. */
static bool call(int which, struct MMapAddrSpace *mm, uintptr_t addr,
                 int *calls) {
  enum MMapError error = MMAP_NOMEM;
  struct MMapMapping mapping = {0};
  uintptr_t mapped;
  int code;
  mapping.data = addr;
  mapping.data_fns = &counted;
  switch (which) {
  case 0:
    mapped = mmap_map_any(mm, 0, PAGE, 1, (int)(addr / PAGE), -1, 0);
    CHECK(mapped == NONE || mapped % PAGE == 0);
    return mapped != NONE;
  case 1:
    mapped = mmap_map_at(mm, addr, PAGE, 8, 0, -1, 0, count_calls, calls);
    CHECK(mapped == NONE || mapped == addr);
    return mapped != NONE;
  case 2:
    error = mmap_unmap(mm, addr, PAGE, count_calls, calls);
    break;
  case 3:
    error = mmap_protect(mm, addr, PAGE, 16, count_calls, calls);
    break;
  case 4:
    mapped = mmap_map_any_with(mm, PAGE, 1, (int)(addr / PAGE), -1, 0, NULL);
    return mapped != NONE;
  case 5:
    code = mmap_map_at2(mm, addr, PAGE, &mapping, count_segments, calls);
    CHECK(code == MMAP_OK || code == MMAP_NOMEM);
    return code == MMAP_OK;
  case 6:
    code = mmap_update(mm, addr, PAGE, MMAP_HOLES_SKIP, other_data, calls);
    CHECK(code == MMAP_OK || code == MMAP_NOMEM);
    return code == MMAP_OK;
  case 7:
    code = mmap_relocate(mm, addr, PAGE, addr + 2 * PAGE, true, count_segments, calls);
    CHECK(code == MMAP_OK || code == MMAP_NOMEM);
    return code == MMAP_OK;
  default:
    code = mmap_map_fixed_noreplace(mm, addr, PAGE, 10, 0, -1, 0);
    CHECK(code == MMAP_OK || code == MMAP_NOMEM);
    return code == MMAP_OK;
  }
  CHECK(error == MMAP_OK || error == MMAP_NOMEM);
  return error == MMAP_OK;
}

/* Fails each allocation of one call in turn; how many there were. */
static long each_allocation(int which, struct MMapAddrSpace *mm,
                            uintptr_t addr) {
  for (long nth = 0;; nth++) {
    size_t count = snapshot(mm, before);
    long before_held = held;
    int calls = 0;
    bool succeeded;
    CHECK(nth < 100);
    refused = 0;
    budget = nth;
    succeeded = call(which, mm, addr, &calls);
    budget = -1;
    CHECK_EQ(succeeded, refused == 0);
    if (succeeded)
      return nth;
    CHECK_EQ(calls, 0);
    CHECK_EQ(held, before_held);
    CHECK_EQ(snapshot(mm, after), count);
    for (size_t i = 0; i < count; i++)
      CHECK(same_region(&before[i], &after[i]));
  }
}

static void creation(void) {
  struct MMapAddrSpace *mm, *copy;
  budget = 0;
  refused = 0;
  mm = mmap_create(0, 16 * PAGE, PAGE);
  CHECK(mm == NULL);
  CHECK_EQ(refused, 1);
  budget = -1;
  mm = mmap_create(0, 16 * PAGE, PAGE);
  CHECK(mm != NULL);
  CHECK_EQ(mmap_map_at(mm, PAGE, PAGE, 3, 0, -1, 0, NULL, NULL), PAGE);
  for (long nth = 0; nth < 2; nth++) { /* the tree, and the handle */
    refused = 0;
    budget = nth;
    CHECK(mmap_copy(mm) == NULL);
    budget = -1;
    CHECK_EQ(refused, 1);
  }
  copy = mmap_copy(mm);
  CHECK(copy != NULL);
  mmap_destroy(mm);
  CHECK(mmap_check_access(copy, PAGE, PAGE, 3, NULL));
  mmap_destroy(copy);
}

/* Regions of six pages, two pages apart, in a tree of three levels; then each
 * call a hundred times: in their middles, which need room for the rest, or in
 * the gaps. */
static void growth(void) {
  for (int which = 0; which < 9; which++) {
    struct MMapAddrSpace *mm = mmap_create(0, 8 * REGIONS * PAGE, PAGE);
    long failures = 0;
    for (uintptr_t i = 0; i < REGIONS; i++)
      CHECK_EQ(mmap_map_at(mm, 8 * i * PAGE, 6 * PAGE, 3, 0, -1, 0, NULL, NULL),
               8 * i * PAGE);
    for (uintptr_t i = 0; i < 100; i++) {
      uintptr_t addr = (8 * i + (which == 8 ? 6 : 3)) * PAGE;
      failures += each_allocation(which, mm, addr);
    }
    CHECK(failures > 0);
    mmap_destroy(mm);
    CHECK_EQ(held, 0);
  }
}

/* What needs no memory works without. */
static void without_memory(void) {
  struct MMapAddrSpace *mm = mmap_create(0, 16 * REGIONS * PAGE, PAGE);
  struct MMapRegion region;
  struct MMapTotals totals;
  struct MMapInfo info;
  int calls = 0;
  for (uintptr_t i = 0; i < REGIONS; i++)
    mmap_map_at(mm, 2 * i * PAGE, PAGE, 3, 0, -1, 0, NULL, NULL);
  refused = 0;
  exhausted = true;
  budget = 0;
  CHECK(mmap_query_page(mm, 0, &info));
  CHECK(mmap_query_region(mm, 0, &region));
  CHECK(mmap_next_region(mm, NULL, &region));
  CHECK(mmap_totals(mm, &totals));
  CHECK(mmap_check_access(mm, 0, PAGE, 3, NULL));
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), PAGE);
  CHECK_EQ(mmap_protect(mm, 0, 200 * PAGE, 1, count_calls, &calls), MMAP_OK);
  CHECK_EQ(calls, 100);
  mmap_mark_original(mm);
  CHECK_EQ(mmap_unmap(mm, 0, 200 * PAGE, count_calls, &calls), MMAP_OK);
  CHECK_EQ(calls, 200);
  exhausted = false;
  budget = -1;
  for (uintptr_t i = 0; i < REGIONS; i++)
    mmap_map_at(mm, (2 * i + 1) * PAGE, PAGE, 5, 0, -1, 0, NULL, NULL);
  exhausted = true;
  budget = 0;
  calls = 0;
  mmap_unmap_non_original(mm, count_calls, &calls);
  CHECK_EQ(calls, REGIONS);
  mmap_reset(mm);
  mmap_destroy(mm);
  CHECK_EQ(refused, 0);
  exhausted = false;
  budget = -1;
}

int main(void) {
  creation();
  growth();
  without_memory();
  return 0;
}
