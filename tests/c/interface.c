/* interface.c - every function and every documented result. */
#include "refused.h"

static const uintptr_t base = 0x100000;
static const size_t size = 32 * 4096;

static uintptr_t page(int number) { return base + (uintptr_t)number * PAGE; }

static struct MMapAddrSpace *space(void) {
  struct MMapAddrSpace *mm = mmap_create(base, size, PAGE);
  CHECK(mm != NULL);
  return mm;
}

static uintptr_t map(struct MMapAddrSpace *mm, int first, int pages, int prot) {
  return mmap_map_at(mm, page(first), (size_t)pages * PAGE, prot, 2, -1, 0,
                     NULL, NULL);
}

static void bounds(void) {
  static const struct {
    uintptr_t start;
    size_t len, pagesize;
    uintptr_t first;
    size_t whole; /* 0: refused */
  } cases[] = {
      {0, 4096, 4096, 0, 4096},
      {1, 8191, 4096, 4096, 4096},
      {4096, 8191, 4096, 4096, 4096},
      {1, 4095, 4096, 0, 0},
      {0, 0, 4096, 0, 0},
      {0, 4096, 0, 0, 0},
      {0, 4096, 3, 0, 0},
      {UINTPTR_MAX, 2, 1, 0, 0},
      {UINTPTR_MAX - 4095, 4097, 4096, 0, 0},
      {UINTPTR_MAX - 4095, 4096, 4096, UINTPTR_MAX - 4095, 4096},
      {UINTPTR_MAX, 1, 1, 0, 0},
      {UINTPTR_MAX - 1, 2, 1, UINTPTR_MAX - 1, 1},
      {0, SIZE_MAX, 4096, 0, SIZE_MAX - 4095},
#if SIZE_MAX > UINT32_MAX
      {0, SIZE_MAX, 1, 0, 0}, /* too many pages */
      {0, ((size_t)1 << 62) - 1, 1, 0, ((size_t)1 << 62) - 1},
      {0, (size_t)1 << 62, 1, 0, 0},
      {0, ((size_t)1 << 63) - 2, 2, 0, ((size_t)1 << 63) - 2},
      {0, (size_t)1 << 63, 2, 0, 0},
      {0, SIZE_MAX, 2, 0, 0},
      {0, SIZE_MAX, 4, 0, SIZE_MAX - 3}, /* not too many */
#endif
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct MMapTotals totals;
    struct MMapAddrSpace *mm =
        mmap_create(cases[i].start, cases[i].len, cases[i].pagesize);
    CHECK_EQ(mm != NULL, cases[i].whole != 0);
    CHECK_EQ(mmap_totals(mm, &totals), mm != NULL);
    if (mm) {
      CHECK_EQ(totals.start, cases[i].first);
      CHECK_EQ(totals.len, cases[i].whole);
      CHECK_EQ(totals.pagesize, cases[i].pagesize);
      CHECK_EQ(totals.regions, 0);
      CHECK_EQ(totals.mapped, 0);
      CHECK_EQ(totals.largest_gap, cases[i].whole);
    }
    mmap_destroy(mm);
  }
}

/* Each call stops at the second of three regions, and goes on when asked again. */
static void callbacks_that_stop(void) {
  struct MMapAddrSpace *mm = space(), *copy;
  struct Log log = {0};
  CHECK_EQ(map(mm, 1, 1, 3), page(1));
  CHECK_EQ(map(mm, 3, 1, 3), page(3));
  CHECK_EQ(map(mm, 5, 1, 3), page(5));
  log.stop = 2;
  CHECK_EQ(mmap_protect_until(mm, page(0), 6 * PAGE, 1, stop_at, &log), MMAP_STOPPED);
  CHECK_EQ(log.count, 2);
  CHECK(mmap_check_access(mm, page(3), PAGE, 3, NULL));
  CHECK(!mmap_check_access(mm, page(1), PAGE, 3, NULL));
  copy = mmap_copy(mm);
  CHECK(copy);
  log.count = 0;
  CHECK_EQ(mmap_unmap_until(mm, page(0), 6 * PAGE, stop_at, &log), MMAP_STOPPED);
  CHECK_EQ(regions_of(mm).count, 2);
  CHECK_EQ(regions_of(copy).count, 3);
  log.count = 0;
  CHECK_EQ(mmap_map_at_until(mm, page(2), 4 * PAGE, 7, 0, -1, 0, stop_at, &log), MMAP_STOPPED);
  CHECK_EQ(regions_of(mm).count, 1);
  CHECK_EQ(mmap_map_at_until(mm, page(2), 4 * PAGE, 7, 0, -1, 0, NULL, NULL), MMAP_OK);
  CHECK_EQ(mmap_map_at_until(mm, page(2) + 1, PAGE, 7, 0, -1, 0, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(regions_of(mm).count, 1);
  log.count = 0;
  log.stop = 1;
  CHECK_EQ(mmap_unmap_non_original_until(mm, stop_at, &log), MMAP_STOPPED);
  CHECK_EQ(regions_of(mm).count, 1);
  CHECK_EQ(mmap_unmap_non_original_until(mm, NULL, NULL), MMAP_OK);
  CHECK_EQ(regions_of(mm).count, 0);
  mmap_destroy(mm);
  CHECK_EQ(regions_of(copy).count, 3);
  mmap_destroy(copy);
}

static void limits(void) {
  struct MMapAddrSpace *mm = space();
  CHECK_EQ(mmap_set_limits(mm, 1, 4 * PAGE), MMAP_OK);
  CHECK_EQ(map(mm, 1, 3, 3), page(1));
  CHECK_EQ(mmap_unmap(mm, page(2), PAGE, NULL, NULL), MMAP_NOMEM);
  CHECK_EQ(map(mm, 6, 1, 3), NONE);
  CHECK_EQ(map(mm, 4, 1, 3), page(4)); /* joins */
  CHECK_EQ(map(mm, 5, 1, 3), NONE);
  CHECK_EQ(regions_of(mm).count, 1);
  CHECK_EQ(mmap_set_limits(mm, MMAP_NO_LIMIT, MMAP_NO_LIMIT), MMAP_OK);
  CHECK_EQ(mmap_unmap(mm, page(2), PAGE, NULL, NULL), MMAP_OK);
  CHECK_EQ(map(mm, 6, 3, 3), page(6));
  mmap_destroy(mm);
}

/* What placement keeps free, and what no call may touch. */
static void guards(void) {
  struct MMapAddrSpace *mm = space(), *copy;
  CHECK_EQ(mmap_set_guard(mm, 200, 2 * PAGE - 1, 1), MMAP_OK);
  CHECK_EQ(mmap_use_guard(mm, 200), MMAP_OK);
  CHECK_EQ(map(mm, 3, 1, 3), page(3));
  CHECK_EQ(mmap_use_guard(mm, 0), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(0));
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, NULL), page(5));
  CHECK_EQ(map(mm, 2, 1, 3), page(2)); /* a fixed address may */
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, NULL), page(0));
  CHECK_EQ(mmap_set_guard(mm, 200, 0, 0), MMAP_OK);

  CHECK_EQ(mmap_reserve(mm, page(2), PAGE), MMAP_EXIST);
  CHECK_EQ(mmap_reserve(mm, page(4) + 1, PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_reserve(mm, page(4), 2 * PAGE), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, 3 * PAGE, NULL), page(6));
  CHECK_EQ(mmap_unmap(mm, page(0), 32 * PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_at(mm, page(5), PAGE, 3, 0, -1, 0, NULL, NULL), NONE);
  mmap_reset(mm);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(5), PAGE, 3, 0, -1, 0), MMAP_INVAL);
  CHECK_EQ(mmap_unreserve(mm, page(0), 32 * PAGE), MMAP_OK);
  CHECK_EQ(mmap_unreserve(mm, page(0), 33 * PAGE), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(5), PAGE, 3, 0, -1, 0), MMAP_OK);

  CHECK_EQ(mmap_seal(mm, page(5), 2 * PAGE), MMAP_NOMEM);
  CHECK_EQ(mmap_seal(mm, page(5), PAGE), MMAP_OK);
  copy = mmap_copy(mm);
  CHECK(copy);
  CHECK_EQ(mmap_protect(copy, page(4), 3 * PAGE, 1, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap(copy, page(5), PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(map(mm, 5, 1, 1), NONE);
  CHECK_EQ(regions_of(mm).count, 1);
  mmap_destroy(copy);
  mmap_destroy(mm);
}

static void null_outputs(void) {
  struct MMapAddrSpace *mm = space();
  CHECK_EQ(map(mm, 1, 2, 3), page(1));
  CHECK(!mmap_query_page(mm, page(1), NULL));
  CHECK(!mmap_query_region(mm, page(1), NULL));
  CHECK(!mmap_next_region(mm, NULL, NULL));
  CHECK(!mmap_totals(mm, NULL));
  CHECK(mmap_check_access(mm, page(1), PAGE, 3, NULL));
  CHECK(!mmap_check_access(mm, page(0), PAGE, 3, NULL));
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(0));
  CHECK_EQ(mmap_unmap(mm, page(1), PAGE, NULL, NULL), MMAP_OK);
  mmap_unmap_non_original(mm, NULL, NULL);
  CHECK_EQ(regions_of(mm).count, 0);
  mmap_destroy(mm);
}

/* What is not mapped, or not answered, is not written. */
static void outputs_are_left_alone(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapInfo info = {1, 2, 3, 4, true}, info_before = info;
  struct MMapRegion region = {5, 6, {1, 2, 3, 4, true}}, region_before = region;
  uintptr_t bad = 7;
  CHECK(!mmap_query_page(mm, page(0), &info));
  CHECK(!mmap_query_region(mm, page(0), &region));
  CHECK(!mmap_next_region(mm, NULL, &region));
  CHECK(same_info(&info, &info_before));
  CHECK(same_region(&region, &region_before));
  CHECK(mmap_check_access(mm, page(0), 0, 0, &bad));
  CHECK_EQ(bad, 7);
  mmap_destroy(mm);
}

static void numbers_are_kept(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapInfo info;
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, -1, INT32_MIN, INT32_MAX, INT64_MIN),
           page(0));
  CHECK(mmap_query_page(mm, page(0), &info));
  CHECK_EQ(info.prot, -1);
  CHECK_EQ(info.flags, INT32_MIN);
  CHECK_EQ(info.fd, INT32_MAX);
  CHECK_EQ(info.offset, INT64_MIN);
  CHECK(!info.original);
  CHECK_EQ(mmap_protect(mm, page(0), PAGE, INT32_MIN, NULL, NULL), MMAP_OK);
  CHECK(mmap_query_page(mm, page(0), &info));
  CHECK_EQ(info.prot, INT32_MIN);
  mmap_destroy(mm);
}

static void placements(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapOptions options = {0};
  CHECK_EQ(map(mm, 4, 4, 3), page(4));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_HIGHEST, 9), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(31));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_LOWEST, 9), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, 5 * PAGE, NULL), page(8));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_DEFAULT, 0), MMAP_INVAL);
  CHECK_EQ(mmap_set_placement(mm, 7, 0), MMAP_INVAL);
  CHECK_EQ(mmap_set_placement(mm, -1, 0), MMAP_INVAL);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(0));

  options.placement = MMAP_PLACE_HIGHEST;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(30));
  options.window_start = page(2) + 1;
  options.window_len = 10 * PAGE;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(10));
  options.placement = MMAP_PLACE_LOWEST;
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), page(3));
  CHECK_EQ(mmap_find_free(mm, 5 * PAGE, &options), NONE);
  options.align = 8 * PAGE; /* the base is aligned to 256 pages */
  CHECK_EQ(mmap_map_any_with(mm, PAGE, 1, 0, -1, 0, &options), page(8));
  options.hint = page(11); /* in the window, but not aligned */
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), NONE);
  options.align = 0;
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), page(11));
  options.align = 3 * PAGE;
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), NONE);
  CHECK_EQ(mmap_map_any_with(mm, PAGE, 1, 0, -1, 0, &options), NONE);
  options.align = 0;
  options.hint_rule = 3;
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), NONE);
  options.hint_rule = MMAP_HINT_EXACT;
  options.placement = 7;
  CHECK_EQ(mmap_find_free(mm, PAGE, &options), NONE);
  CHECK_EQ(mmap_map_any_with(mm, PAGE, 1, 0, -1, 0, &options), NONE);
  CHECK_EQ(mmap_map_any_with(mm, 0, 1, 0, -1, 0, NULL), NONE);
  CHECK_EQ(mmap_find_free(mm, SIZE_MAX, NULL), NONE);
  CHECK_EQ(mmap_map_any_with(mm, 24 * PAGE, 1, 0, -1, 0, NULL), NONE);
  CHECK_EQ(regions_of(mm).count, 2);
  mmap_destroy(mm);
}

/* The nearest place, the shortest range, hints of other systems, margins. */
static void more_placements(void) {
  struct MMapAddrSpace *mm = space(); /* free: 0 to 3, 8 to 9, 12 to 31 */
  struct MMapOptions options = {0};
  CHECK_EQ(map(mm, 4, 4, 3), page(4));
  CHECK_EQ(map(mm, 10, 2, 3), page(10));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_BEST_LOWEST, 0), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(8));
  CHECK_EQ(mmap_find_free(mm, 3 * PAGE, NULL), page(0));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_BEST_HIGHEST, 0), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(9));
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_NEAREST, page(6) + 1), MMAP_OK);
  CHECK_EQ(mmap_find_free(mm, PAGE, NULL), page(8));
  CHECK_EQ(mmap_find_free(mm, 3 * PAGE, NULL), page(1));

  options.hint = page(8) + 5;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(8)); /* the nearest */
  options.placement = MMAP_PLACE_LOWEST;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(0));
  options.hint_rule = MMAP_HINT_ROUND_DOWN;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(8));
  options.hint_rule = MMAP_HINT_UPWARDS;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(12));
  options.margin_below = PAGE + 1;
  options.margin_above = 1;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(14));
  options.hint = 0;
  options.placement = MMAP_PLACE_HIGHEST;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), page(29));
  options.margin_above = SIZE_MAX;
  CHECK_EQ(mmap_find_free(mm, 2 * PAGE, &options), NONE);
  mmap_destroy(mm);
}

/* find_free tells a random address without using it up. */
static void random_placements(void) {
  struct MMapAddrSpace *mm = space(), *twin = space();
  struct MMapOptions options = {0};
  int differ = 0;
  mmap_enable_aslr(mm, 7);
  CHECK_EQ(mmap_set_placement(twin, MMAP_PLACE_RANDOM, 7), MMAP_OK);
  options.placement = MMAP_PLACE_RANDOM;
  options.seed = 5;
  for (int i = 0; i < 16; i++) {
    uintptr_t promised = mmap_find_free(mm, PAGE, NULL);
    differ += promised != mmap_find_free(mm, PAGE, &options);
    CHECK_EQ(mmap_map_any(mm, 0, PAGE, 3, 0, -1, 0), promised);
    CHECK_EQ(mmap_map_any(twin, 0, PAGE, 3, 0, -1, 0), promised);
  }
  CHECK(differ > 0);
  mmap_destroy(mm);
  mmap_destroy(twin);
}

static void fixed_noreplace(void) {
  struct MMapAddrSpace *mm = space();
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(4), PAGE + 1, 3, 2, -1, 0),
           MMAP_OK);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(3), 2 * PAGE, 1, 2, -1, 0),
           MMAP_EXIST);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(5), 1, 1, 2, -1, 0), MMAP_EXIST);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(5) + 1, 1, 1, 2, -1, 0),
           MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(6), 0, 1, 2, -1, 0), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(32), PAGE, 1, 2, -1, 0),
           MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace(mm, page(6), PAGE, 1, 2, -1, 0), MMAP_OK);
  CHECK_EQ(regions_of(mm).count, 2);
  mmap_destroy(mm);
}

static void regions(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapRegion region;
  struct MMapTotals totals;
  struct Log log;
  int steps = 0;
  map(mm, 0, 2, 3);
  map(mm, 2, 2, 1);
  map(mm, 10, 22, 5);
  log = regions_of(mm);
  CHECK_EQ(log.count, 3);
  CHECK_REGION(log, 0, page(0), 2 * PAGE, 3);
  CHECK_REGION(log, 1, page(2), 2 * PAGE, 1);
  CHECK_REGION(log, 2, page(10), 22 * PAGE, 5);
  CHECK(mmap_query_region(mm, page(3) + 17, &region));
  CHECK(same_region(&region, &log.regions[1]));
  CHECK(!mmap_query_region(mm, page(4), &region));
  CHECK(!mmap_query_region(mm, page(32), &region));
  CHECK(!mmap_query_region(mm, base - 1, &region));
  CHECK(!mmap_query_region(mm, UINTPTR_MAX, &region));
  CHECK(mmap_totals(mm, &totals));
  CHECK_EQ(totals.regions, 3);
  CHECK_EQ(totals.mapped, 26 * PAGE);
  CHECK_EQ(totals.largest_gap, 6 * PAGE);

  /* From inside a region, and past everything. Only start and len count. */
  memset(&region, 0xff, sizeof region);
  region.start = page(3);
  region.len = 1;
  CHECK(mmap_next_region(mm, &region, &region));
  CHECK(same_region(&region, &log.regions[1]));
  region.start = UINTPTR_MAX;
  region.len = 0;
  CHECK(!mmap_next_region(mm, &region, &region));
  region.len = SIZE_MAX;
  CHECK(!mmap_next_region(mm, &region, &region));

  /* The loop's body merges regions and goes on. */
  for (bool more = mmap_next_region(mm, NULL, &region); more;
       more = mmap_next_region(mm, &region, &region), steps++)
    CHECK_EQ(mmap_protect(mm, region.start, region.len, 0, NULL, NULL),
             MMAP_OK);
  CHECK_EQ(steps, 3);
  CHECK_EQ(regions_of(mm).count, 2);
  mmap_destroy(mm);
}

static void access(void) {
  struct MMapAddrSpace *mm = space();
  uintptr_t bad = 0;
  map(mm, 1, 2, 3);
  map(mm, 3, 1, 1);
  CHECK(mmap_check_access(mm, page(1) + 1, 3 * PAGE - 1, 1, &bad));
  CHECK(!mmap_check_access(mm, page(1) + 1, 3 * PAGE, 1, &bad));
  CHECK_EQ(bad, page(4));
  CHECK(!mmap_check_access(mm, page(1) + 1, 3 * PAGE, 3, &bad));
  CHECK_EQ(bad, page(3));
  CHECK(!mmap_check_access(mm, page(0) + 9, PAGE, 0, &bad));
  CHECK_EQ(bad, page(0) + 9);
  CHECK(!mmap_check_access(mm, page(1), SIZE_MAX, 0, &bad));
  CHECK_EQ(bad, page(4));
  mmap_destroy(mm);

  mm = mmap_create(UINTPTR_MAX - 4095, 4096, 4096);
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, 3, 0, -1, 0), UINTPTR_MAX - 4095);
  CHECK(mmap_check_access(mm, UINTPTR_MAX, 1, 3, &bad));
  CHECK(!mmap_check_access(mm, UINTPTR_MAX, 2, 3, &bad));
  CHECK_EQ(bad, 0);
  mmap_destroy(mm);
}

static void linear_offsets(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapInfo info;
  struct Log log = {0};
  CHECK_EQ(mmap_set_offsets(mm, 2), MMAP_INVAL);
  CHECK_EQ(mmap_set_offsets(mm, MMAP_OFFSETS_LINEAR), MMAP_OK);
  CHECK_EQ(mmap_map_any(mm, 0, 4 * PAGE, 1, 2, 3, 0x8000), page(0));
  /* Contiguous in address and file: one region. */
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, 1, 2, 3, 0xc000), page(4));
  CHECK_EQ(regions_of(mm).count, 1);
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, 1, 2, 3, 0xc000), page(5));
  CHECK_EQ(regions_of(mm).count, 2);
  CHECK_EQ(mmap_unmap(mm, page(1), PAGE, record, &log), MMAP_OK);
  CHECK_EQ(log.regions[0].info.offset, 0x9000);
  log = regions_of(mm);
  CHECK_EQ(log.regions[0].info.offset, 0x8000);
  CHECK_EQ(log.regions[1].info.offset, 0xa000);
  CHECK(mmap_query_page(mm, page(3) + 1, &info));
  CHECK_EQ(info.offset, 0xb000);
  /* Without a file, offsets stay as given. */
  CHECK_EQ(mmap_map_at(mm, page(8), 2 * PAGE, 1, 2, -1, 5, NULL, NULL), page(8));
  CHECK(mmap_query_page(mm, page(9), &info));
  CHECK_EQ(info.offset, 5);
  /* The option is for what is mapped from now on. */
  CHECK_EQ(mmap_set_offsets(mm, MMAP_OFFSETS_VERBATIM), MMAP_OK);
  CHECK_EQ(mmap_map_at(mm, page(12), 2 * PAGE, 1, 2, 3, 64, NULL, NULL), page(12));
  CHECK(mmap_query_page(mm, page(13), &info));
  CHECK_EQ(info.offset, 64);
  CHECK(mmap_query_page(mm, page(3), &info));
  CHECK_EQ(info.offset, 0xb000);
  mmap_destroy(mm);
}

/* What a reset keeps. */
static void reset(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapInfo info;
  CHECK_EQ(mmap_set_placement(mm, MMAP_PLACE_HIGHEST, 0), MMAP_OK);
  CHECK_EQ(mmap_set_offsets(mm, MMAP_OFFSETS_LINEAR), MMAP_OK);
  map(mm, 0, 32, 3);
  mmap_reset(mm);
  CHECK_EQ(regions_of(mm).count, 0);
  CHECK_EQ(mmap_map_any(mm, 0, 2 * PAGE, 1, 2, 3, 0), page(30));
  CHECK(mmap_query_page(mm, page(31), &info));
  CHECK_EQ(info.offset, PAGE);
  mmap_destroy(mm);
}

int main(void) {
  CHECK(strcmp(mmap_version(), MMAP_VERSION) == 0);
  bounds();
  everything_is_refused(NULL, base, base);
  null_outputs();
  callbacks_that_stop();
  limits();
  outputs_are_left_alone();
  numbers_are_kept();
  placements();
  more_placements();
  guards();
  random_placements();
  fixed_noreplace();
  regions();
  access();
  linear_offsets();
  reset();
  return 0;
}
