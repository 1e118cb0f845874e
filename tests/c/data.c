/* data.c - the calls that take and report all of a mapping: every result, and
 * data that is counted: held once for each region, whatever happens. */
#include "refused.h"

static const uintptr_t base = 0x100000;
static const size_t size = 32 * 4096;

static uintptr_t page(int number) { return base + (uintptr_t)number * PAGE; }

/* A file object of the program's: how many references there are to it. */
struct File {
  long references;
};

/* A space that is busy with one of its own calls, or copied. */
static struct MMapAddrSpace *entered, *copied;

static void enter(void) {
  struct MMapTotals totals;
  struct MMapInfo info = {0, 0, 0, 0, false};
  if (entered)
    everything_is_refused(entered, base, page(2));
  if (copied) {
    /* Looking is allowed while a copy is made; nothing else is. */
    CHECK(mmap_totals(copied, &totals));
    CHECK(mmap_query_page(copied, page(2), &info));
    mmap_destroy(copied);
    mmap_reset(copied);
    mmap_mark_original(copied);
    mmap_unmap_non_original(copied, never, NULL);
    CHECK_EQ(mmap_map_any(copied, 0, PAGE, 3, 0, -1, 0), NONE);
    CHECK_EQ(mmap_unmap(copied, base, PAGE, never, NULL), MMAP_INVAL);
    CHECK_EQ(mmap_set_limits(copied, 0, 0), MMAP_INVAL);
    CHECK_EQ(mmap_unmap2(copied, base, PAGE, NULL, NULL), MMAP_INVAL);
    CHECK_EQ(mmap_relocate(copied, base, PAGE, page(9), false, NULL, NULL), MMAP_INVAL);
  }
}

static void copy(uint64_t data) {
  enter();
  ((struct File *)(uintptr_t)data)->references++;
}

static void release(uint64_t data) {
  struct File *file = (struct File *)(uintptr_t)data;
  enter();
  CHECK(file->references > 0);
  file->references--;
}

static const struct MMapDataFns counted = {copy, release};

static struct MMapMapping mapping_of(int prot, struct File *file) {
  struct MMapMapping mapping;
  memset(&mapping, 0, sizeof mapping);
  mapping.prot = prot;
  mapping.fd = 3;
  mapping.linear = true;
  mapping.data = (uint64_t)(uintptr_t)file;
  mapping.data_fns = &counted;
  return mapping;
}

static struct MMapAddrSpace *space(void) {
  struct MMapAddrSpace *mm = mmap_create(base, size, PAGE);
  CHECK(mm != NULL);
  return mm;
}

static void map(struct MMapAddrSpace *mm, int first, int pages, int prot,
                struct File *file) {
  struct MMapMapping mapping = mapping_of(prot, file);
  mapping.offset = (int64_t)first * (int64_t)PAGE;
  CHECK_EQ(mmap_map_at2(mm, page(first), (size_t)pages * PAGE, &mapping, NULL, NULL), MMAP_OK);
}

/* Segments that were reported, or that a range has. */
struct Segments {
  size_t count, stop;
  struct MMapSegment all[40];
};

static void add(struct Segments *segments, const struct MMapSegment *segment) {
  CHECK(segments->count < sizeof segments->all / sizeof *segments->all);
  segments->all[segments->count++] = *segment;
}

static int note(const struct MMapSegment *region, void *udata) {
  struct Segments *segments = (struct Segments *)udata;
  CHECK(region->mapped);
  add(segments, region);
  return segments->count == segments->stop ? -1 : 0;
}

static struct Segments segments_of(const struct MMapAddrSpace *mm, uintptr_t addr, size_t len) {
  struct Segments segments;
  struct MMapSegment segment;
  memset(&segments, 0, sizeof segments);
  for (bool more = mmap_next_segment(mm, addr, len, NULL, &segment); more;
       more = mmap_next_segment(mm, addr, len, &segment, &segment))
    add(&segments, &segment);
  return segments;
}

/* Whether segment `index` is [first, first + pages) of this file, or a gap. */
#define CHECK_SEGMENT(segments, index, first, pages, file)                     \
  do {                                                                         \
    const struct MMapSegment *s_ = &(segments).all[index];                     \
    const struct File *file_ = (file);                                         \
    CHECK((segments).count > (index));                                         \
    CHECK_EQ(s_->start, page(first));                                          \
    CHECK_EQ(s_->len, (pages) * PAGE);                                         \
    CHECK_EQ(s_->mapped, file_ != NULL);                                       \
    CHECK_EQ(s_->mapping.data, (uintptr_t)file_);                              \
    CHECK(s_->mapping.data_fns == (file_ ? &counted : NULL));                  \
    CHECK_EQ(s_->mapping.fd, file_ ? 3 : -1);                                  \
    CHECK_EQ(s_->mapping.offset, file_ ? (first) * (int64_t)PAGE : 0);         \
  } while (0)

static void regions_are_counted(void) {
  struct File a = {0}, b = {0};
  struct MMapAddrSpace *mm = space(), *twin;
  struct Segments out = {0};
  struct MMapSegment segment;
  entered = mm;
  map(mm, 2, 6, 1, &a);
  CHECK_EQ(a.references, 1);
  map(mm, 4, 1, 1, &b); /* cuts one in two */
  CHECK_EQ(a.references, 2);
  CHECK_EQ(b.references, 1);
  map(mm, 4, 1, 1, &a); /* joins them */
  CHECK_EQ(a.references, 1);
  CHECK_EQ(b.references, 0);
  map(mm, 8, 1, 1, &b); /* same in all but data: two regions */
  out = segments_of(mm, page(0), size);
  CHECK_EQ(out.count, 4);
  CHECK_SEGMENT(out, 0, 0, 2, NULL);
  CHECK_SEGMENT(out, 1, 2, 6, &a);
  CHECK_SEGMENT(out, 2, 8, 1, &b);
  CHECK_SEGMENT(out, 3, 9, 23, NULL);
  out = segments_of(mm, page(3) + 1, 5 * PAGE);
  CHECK_EQ(out.count, 2);
  CHECK_SEGMENT(out, 0, 3, 5, &a);
  CHECK_SEGMENT(out, 1, 8, 1, &b);
  CHECK_EQ(mmap_mapped_bytes_in(mm, page(7) + 1, 2 * PAGE), 2 * PAGE - 1);
  CHECK(mmap_query_segment(mm, page(5), &segment));
  CHECK_EQ(segment.start, page(2));
  CHECK(mmap_query_segment(mm, page(31) + 1, &segment));
  CHECK(!segment.mapped);
  CHECK_EQ(segment.start, page(9));
  /* A copy has a reference of its own to each. */
  entered = NULL;
  copied = mm;
  twin = mmap_copy(mm);
  copied = NULL;
  entered = mm;
  CHECK(twin != NULL);
  CHECK_EQ(a.references, 2);
  CHECK_EQ(b.references, 2);
  memset(&out, 0, sizeof out);
  CHECK_EQ(mmap_unmap2(mm, page(7), 2 * PAGE, note, &out), MMAP_OK);
  CHECK_EQ(out.count, 2);
  CHECK_SEGMENT(out, 0, 7, 1, &a);
  CHECK_SEGMENT(out, 1, 8, 1, &b);
  CHECK_EQ(a.references, 2);
  CHECK_EQ(b.references, 1);
  mmap_reset(mm);
  CHECK_EQ(a.references, 1);
  mmap_destroy(mm);
  entered = twin; /* busy while it is destroyed */
  mmap_destroy(twin);
  entered = NULL;
  CHECK_EQ(a.references, 0);
  CHECK_EQ(b.references, 0);
}

static void mapping(void) {
  struct File a = {0}, b = {0};
  struct MMapAddrSpace *mm = space();
  struct MMapMapping mapping = mapping_of(3, &a);
  struct MMapOptions options = {0};
  struct MMapSegment segment;
  struct Segments out = {0};
  entered = mm;
  CHECK_EQ(mmap_map_any2(mm, PAGE, NULL, NULL), NONE);
  CHECK_EQ(mmap_map_any2(mm, 0, &mapping, NULL), NONE);
  CHECK_EQ(mmap_map_any2(mm, 33 * PAGE, &mapping, NULL), NONE);
  CHECK_EQ(mmap_map_at2(mm, base, PAGE, NULL, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_at2(mm, base + 1, PAGE, &mapping, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_map_fixed_noreplace2(mm, base, PAGE, NULL), MMAP_INVAL);
  CHECK_EQ(a.references, 0);
  options.placement = MMAP_PLACE_HIGHEST;
  mapping.guard = 7;
  /* What belongs to the space is not the caller's to set here. */
  mapping.original = mapping.sealed = true;
  CHECK_EQ(mmap_map_any2(mm, PAGE, &mapping, &options), page(31));
  CHECK(mmap_query_segment(mm, page(31), &segment));
  CHECK_EQ(segment.mapping.guard, 7);
  CHECK(!segment.mapping.original && !segment.mapping.sealed && segment.mapping.linear);
  CHECK_EQ(mmap_map_fixed_noreplace2(mm, page(31), PAGE, &mapping), MMAP_EXIST);
  CHECK_EQ(mmap_map_fixed_noreplace2(mm, page(8), 4 * PAGE, &mapping), MMAP_OK);
  CHECK_EQ(a.references, 2);
  mapping = mapping_of(3, &b);
  CHECK_EQ(mmap_map_at2(mm, page(7), 2 * PAGE, &mapping, note, &out), MMAP_OK);
  CHECK_EQ(out.count, 1);
  CHECK_EQ(out.all[0].mapping.data, (uintptr_t)&a);
  CHECK_EQ(b.references, 1);
  /* Stopped: what it would map is not there. */
  memset(&out, 0, sizeof out);
  out.stop = 2;
  mapping = mapping_of(5, &a);
  CHECK_EQ(mmap_map_at2(mm, page(7), 6 * PAGE, &mapping, note, &out), MMAP_STOPPED);
  CHECK_EQ(b.references, 0);
  CHECK_EQ(a.references, 2);
  mmap_mark_original(mm);
  mapping = mapping_of(5, &b);
  CHECK_EQ(mmap_map_at2(mm, page(0), PAGE, &mapping, NULL, NULL), MMAP_OK);
  memset(&out, 0, sizeof out);
  CHECK_EQ(mmap_unmap_non_original2(mm, note, &out), MMAP_OK);
  CHECK_EQ(out.count, 1);
  CHECK_EQ(b.references, 0);
  CHECK_EQ(mmap_unmap2(mm, page(0) + 1, PAGE, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_unmap2(mm, page(0), size, NULL, NULL), MMAP_OK);
  CHECK_EQ(a.references, 0);
  entered = NULL;
  mmap_destroy(mm);
}

/* What to do with each region, and what it was. */
struct Change {
  struct Segments seen;
  struct File *file;
  int prot;
};

static int change(const struct MMapSegment *region, struct MMapMapping *mapping, void *udata) {
  struct Change *to = (struct Change *)udata;
  int code = note(region, &to->seen);
  CHECK(memcmp(&region->mapping, mapping, sizeof *mapping) == 0);
  mapping->data = (uint64_t)(uintptr_t)to->file;
  mapping->prot = to->prot;
  mapping->sealed = to->prot == 7;
  return code;
}

static void updates(void) {
  struct File a = {0}, b = {0};
  struct MMapAddrSpace *mm = space();
  struct Change to = {{0}, &b, 3};
  struct Segments out = {0};
  entered = mm;
  map(mm, 2, 4, 1, &a);
  map(mm, 8, 2, 1, &a);
  CHECK_EQ(mmap_update(mm, page(2), PAGE, MMAP_HOLES_SKIP, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_update(mm, page(2), PAGE, 3, change, &to), MMAP_INVAL);
  CHECK_EQ(mmap_update(mm, page(2), 7 * PAGE, MMAP_HOLES_REFUSE, change, &to), MMAP_NOMEM);
  CHECK_EQ(to.seen.count, 0);
  CHECK_EQ(mmap_update(mm, page(4), 5 * PAGE, MMAP_HOLES_STOP, change, &to), MMAP_NOMEM);
  CHECK_EQ(to.seen.count, 1);
  CHECK_EQ(a.references, 2);
  CHECK_EQ(b.references, 1);
  to.seen.count = 0;
  to.seen.stop = 2;
  CHECK_EQ(mmap_update(mm, page(4), 5 * PAGE, MMAP_HOLES_SKIP, change, &to), MMAP_STOPPED);
  CHECK_EQ(b.references, 1);
  to.seen.count = to.seen.stop = 0;
  CHECK_EQ(mmap_update(mm, page(0), size, MMAP_HOLES_SKIP, change, &to), MMAP_OK);
  CHECK_EQ(to.seen.count, 3);
  CHECK_EQ(a.references, 0);
  CHECK_EQ(b.references, 2);
  out = segments_of(mm, page(0), 10 * PAGE);
  CHECK_SEGMENT(out, 1, 2, 4, &b);
  CHECK_SEGMENT(out, 3, 8, 2, &b);
  CHECK_EQ(out.all[1].mapping.prot, 3);
  memset(&out, 0, sizeof out);
  CHECK_EQ(mmap_protect2(mm, page(2), 7 * PAGE, 1, 3, note, &out), MMAP_INVAL);
  CHECK_EQ(mmap_protect2(mm, page(2), 7 * PAGE, 1, MMAP_HOLES_REFUSE, note, &out), MMAP_NOMEM);
  CHECK_EQ(out.count, 0);
  CHECK_EQ(mmap_protect2(mm, page(2), 7 * PAGE, 1, MMAP_HOLES_STOP, note, &out), MMAP_NOMEM);
  CHECK_EQ(out.count, 1);
  out.stop = 2;
  CHECK_EQ(mmap_protect2(mm, page(8), PAGE, 5, MMAP_HOLES_SKIP, note, &out), MMAP_STOPPED);
  CHECK_EQ(mmap_protect2(mm, page(8), PAGE, 5, MMAP_HOLES_SKIP, NULL, NULL), MMAP_OK);
  CHECK_EQ(b.references, 3);
  to.prot = 7; /* sealed */
  CHECK_EQ(mmap_update(mm, page(2), PAGE, MMAP_HOLES_SKIP, change, &to), MMAP_OK);
  CHECK_EQ(mmap_unmap2(mm, page(2), PAGE, NULL, NULL), MMAP_INVAL);
  entered = NULL;
  mmap_destroy(mm);
  CHECK_EQ(b.references, 0);
}

static void moves(void) {
  struct File a = {0}, b = {0};
  struct MMapAddrSpace *mm = space();
  struct Segments out = {0};
  uintptr_t at = 5;
  entered = mm;
  map(mm, 2, 4, 1, &a);
  map(mm, 20, 4, 1, &b);
  CHECK_EQ(mmap_relocate(mm, page(2), 4 * PAGE, page(5), false, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_relocate(mm, page(2), 4 * PAGE, page(29), false, NULL, NULL), MMAP_INVAL);
  CHECK_EQ(mmap_relocate(mm, page(2), 4 * PAGE, page(19), true, note, &out), MMAP_OK);
  CHECK_EQ(out.count, 1);
  CHECK_SEGMENT(out, 0, 20, 3, &b);
  CHECK_EQ(a.references, 2);
  CHECK_EQ(b.references, 1);
  out.stop = 2;
  CHECK_EQ(mmap_relocate(mm, page(2), 4 * PAGE, page(19), false, note, &out), MMAP_STOPPED);
  CHECK_EQ(a.references, 2); /* the target is not unmapped, for the first was refused */
  CHECK_EQ(mmap_relocate(mm, page(2), 4 * PAGE, page(10), false, NULL, NULL), MMAP_OK);
  CHECK_EQ(mmap_mapped_bytes_in(mm, page(2), 4 * PAGE), 0);
  CHECK_EQ(a.references, 2);
  CHECK_EQ(mmap_extend(mm, page(10), PAGE, &at), MMAP_OK);
  CHECK_EQ(at, page(14));
  CHECK_EQ(a.references, 2);
  at = 5;
  CHECK_EQ(mmap_extend(mm, page(10), 5 * PAGE, &at), MMAP_EXIST);
  CHECK_EQ(mmap_extend(mm, page(10), 0, &at), MMAP_INVAL);
  CHECK_EQ(mmap_extend(mm, page(10), SIZE_MAX, &at), MMAP_INVAL);
  CHECK_EQ(mmap_extend(mm, page(2), PAGE, &at), MMAP_NOMEM);
  CHECK_EQ(at, 5);
  CHECK_EQ(mmap_extend(mm, page(10), PAGE, NULL), MMAP_OK);
  entered = NULL;
  mmap_destroy(mm);
  CHECK_EQ(a.references + b.references, 0);
}

/* Numbers without functions, and functions of which one is missing. */
static void numbers(void) {
  struct MMapAddrSpace *mm = space();
  const struct MMapDataFns none = {NULL, NULL};
  struct MMapMapping mapping = mapping_of(3, NULL);
  struct Segments out;
  mapping.data = UINT64_MAX;
  mapping.data_fns = NULL;
  CHECK_EQ(mmap_map_at2(mm, page(0), PAGE, &mapping, NULL, NULL), MMAP_OK);
  mapping.offset = (int64_t)PAGE;
  mapping.data_fns = &none; /* other functions: another region */
  CHECK_EQ(mmap_map_at2(mm, page(1), PAGE, &mapping, NULL, NULL), MMAP_OK);
  mapping.offset = 2 * (int64_t)PAGE;
  mapping.data = (uint64_t)1 << 63; /* one bit of 64 */
  CHECK_EQ(mmap_map_at2(mm, page(2), PAGE, &mapping, NULL, NULL), MMAP_OK);
  mapping.offset = 3 * (int64_t)PAGE;
  CHECK_EQ(mmap_map_at2(mm, page(3), PAGE, &mapping, NULL, NULL), MMAP_OK);
  out = segments_of(mm, base, 4 * PAGE);
  CHECK_EQ(out.count, 3);
  CHECK_EQ(out.all[0].mapping.data, UINT64_MAX);
  CHECK_EQ(out.all[2].mapping.data, (uint64_t)1 << 63);
  /* A mapping by separate arguments has no data. */
  CHECK_EQ(mmap_map_at(mm, page(3), PAGE, 3, 0, 3, 0, NULL, NULL), page(3));
  out = segments_of(mm, page(3), PAGE);
  CHECK_EQ(out.all[0].mapping.data, 0);
  mmap_destroy(mm);
}

/* Null outputs, null and busy spaces, ranges of every kind. */
static void looks(void) {
  struct MMapAddrSpace *mm = space();
  struct MMapSegment segment, last;
  const uintptr_t edges[] = {0, base - 1, base, base + size - 1, base + size, UINTPTR_MAX};
  memset(&segment, 1, sizeof segment);
  memcpy(&last, &segment, sizeof segment);
  CHECK(!mmap_query_segment(NULL, base, &segment));
  CHECK(!mmap_query_segment(mm, base, NULL));
  CHECK(!mmap_query_segment(mm, base - 1, &segment));
  CHECK(!mmap_query_segment(mm, base + size, &segment));
  CHECK(!mmap_next_segment(NULL, base, size, NULL, &segment));
  CHECK(!mmap_next_segment(mm, base, size, NULL, NULL));
  CHECK(!mmap_next_segment(mm, base, 0, NULL, &segment));
  CHECK(memcmp(&segment, &last, sizeof segment) == 0);
  CHECK_EQ(mmap_mapped_bytes_in(NULL, base, size), 0);
  CHECK_EQ(mmap_mapped_bytes_in(mm, 0, UINTPTR_MAX), 0);
  for (size_t i = 0; i < 6; i++)
    for (size_t j = 0; j < 6; j++) {
      bool inside = edges[i] < base + size && edges[j] > 0 &&
                    (edges[i] >= base || edges[j] > base - edges[i]);
      CHECK_EQ(mmap_next_segment(mm, edges[i], edges[j], NULL, &segment), inside);
      if (!inside)
        continue;
      CHECK(segment.start >= base && segment.len <= size);
      CHECK(!mmap_next_segment(mm, edges[i], edges[j], &segment, &segment));
      last.start = UINTPTR_MAX;
      last.len = 2; /* wraps */
      CHECK(!mmap_next_segment(mm, edges[i], edges[j], &last, &segment));
    }
  mmap_destroy(mm);
}

int main(void) {
  regions_are_counted();
  mapping();
  updates();
  moves();
  numbers();
  looks();
  return 0;
}
