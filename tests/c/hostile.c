/* hostile.c - addresses and lengths around everything that could wrap: the
 * result is that of arithmetic that cannot, and a refused call changes nothing.
 */
#include "check.h"

#define MAX UINTPTR_MAX
#define P31 ((uintptr_t)1 << 31)
#if UINTPTR_MAX > UINT32_MAX
#define P32 ((uintptr_t)1 << 32)
#define P47 ((uintptr_t)1 << 47)
#define P63 ((uintptr_t)1 << 63)
#else
#define P32 0
#define P47 0
#define P63 0
#endif

struct Shape {
  uintptr_t start;
  size_t len;
  size_t pagesize;
};

static const struct Shape shapes[] = {
    {0, 64 * 4096, 4096},
    {0x10000, 64 * 4096, 4096},
    {P31 - 32 * 4096, 64 * 4096, 4096},
    {MAX - 64 * 4096 + 1, 64 * 4096, 4096},
    {P31, P31, (size_t)1 << 24},
#if UINTPTR_MAX > UINT32_MAX
    {P47 - 32 * 4096, 64 * 4096, 4096},
    {P63 - 32 * 4096, 64 * 4096, 4096},
    {P63, P63, (size_t)1 << 56},
    {0, P63, (size_t)1 << 62},
#endif
};

/* A number of bytes that may be above UINTPTR_MAX. */
struct Wide {
  uintptr_t high, low;
};

static struct Wide sum(struct Wide a, uintptr_t b) {
  a.low += b;
  a.high += a.low < b;
  return a;
}

static bool at_most(struct Wide a, struct Wide b) {
  return a.high < b.high || (a.high == b.high && a.low <= b.low);
}

/* Whether a call on [addr, addr + len) is to be accepted. */
static bool valid(const struct Shape *shape, uintptr_t addr, size_t len) {
  const struct Wide zero = {0, 0};
  struct Wide end = sum(sum(zero, shape->start), shape->len);
  struct Wide reach = sum(sum(zero, addr), len);
  size_t beyond = len % shape->pagesize;
  if (beyond)
    reach = sum(reach, shape->pagesize - beyond);
  return len > 0 && addr % shape->pagesize == 0 && addr >= shape->start &&
         at_most(reach, end);
}

/* A space with two regions. */
static struct MMapAddrSpace *prepared(const struct Shape *shape) {
  size_t eighth = shape->len / 8 / shape->pagesize * shape->pagesize;
  struct MMapAddrSpace *mm =
      mmap_create(shape->start, shape->len, shape->pagesize);
  CHECK(mm != NULL);
  if (eighth == 0)
    return mm;
  mmap_map_at(mm, shape->start + eighth, eighth, 3, 0, -1, 0, NULL, NULL);
  mmap_map_at(mm, shape->start + 7 * eighth, shape->pagesize, 1, 0, -1, 0,
              NULL, NULL);
  return mm;
}

/* Every call on a range: accepted or refused as `valid` says. */
static void range(const struct Shape *shape, struct MMapAddrSpace *mm,
                  const struct Log *before, uintptr_t addr, size_t len) {
  bool good = valid(shape, addr, len);
  struct Log log = {0}, after;
  uintptr_t bad = 1;
  uintptr_t mapped = mmap_map_at(mm, addr, len, 4, 0, -1, 0, record, &log);
  CHECK_EQ(mapped, good ? addr : NONE);
  if (good) {
    struct MMapInfo info;
    CHECK(mmap_query_page(mm, addr + (len - 1), &info));
    CHECK_EQ(info.prot, 4);
    CHECK(mmap_check_access(mm, addr, len, 4, &bad));
    CHECK_EQ(mmap_map_fixed_noreplace(mm, addr, len, 4, 0, -1, 0), MMAP_EXIST);
    CHECK_EQ(mmap_protect(mm, addr, len, 6, NULL, NULL), MMAP_OK);
    CHECK_EQ(mmap_unmap(mm, addr, len, NULL, NULL), MMAP_OK);
    CHECK(!mmap_query_page(mm, addr, &info));
    CHECK_EQ(mmap_map_any(mm, addr, len, 4, 0, -1, 0), addr);
    mmap_reset(mm);
    for (size_t i = 0; i < before->count; i++)
      mmap_map_at(mm, before->regions[i].start, before->regions[i].len,
                  before->regions[i].info.prot, 0, -1, 0, NULL, NULL);
  } else {
    CHECK_EQ(mmap_unmap(mm, addr, len, record, &log), MMAP_INVAL);
    CHECK_EQ(mmap_protect(mm, addr, len, 6, record, &log), MMAP_INVAL);
    CHECK_EQ(mmap_map_fixed_noreplace(mm, addr, len, 4, 0, -1, 0), MMAP_INVAL);
    CHECK_EQ(log.count, 0);
    mmap_check_access(mm, addr, len, 1, &bad);
    /* A hint that is no good is ignored. */
    mapped = mmap_map_any(mm, addr, len, 4, 0, -1, 0);
    if (mapped != NONE) {
      CHECK(mapped != addr || addr == 0);
      CHECK(valid(shape, mapped, len));
      CHECK_EQ(mmap_unmap(mm, mapped, len, NULL, NULL), MMAP_OK);
    }
  }
  after = regions_of(mm);
  CHECK(same_log(&after, before));
}

static void ranges(const struct Shape *shape) {
  const uintptr_t page = shape->pagesize, end = shape->start + shape->len;
  const uintptr_t addrs[] = {
      0, 1, page - 1, page, page + 1, shape->start - page, shape->start - 1,
      shape->start, shape->start + 1, shape->start + page, end - page,
      end - 1, end, end + 1, end + page, end + 2 * page, P31 - 1, P31,
      P32 - 1, P32, P47 - page, P47, P63 - page, P63, P63 + page,
      MAX - 2 * page + 1, MAX - page + 1, MAX - page, MAX - 1, MAX,
      shape->start + shape->len / 8 / page * page, shape->start + shape->len / 2,
  };
  const size_t lens[] = {
      0, 1, page - 1, page, page + 1, 2 * page, shape->len - page,
      shape->len - 1, shape->len, shape->len + 1, shape->len + page, P31, P32,
      P47, P63, P63 + 1, MAX - page, MAX - page + 1, MAX - page + 2, MAX - 1,
      MAX,
  };
  struct MMapAddrSpace *mm = prepared(shape);
  const struct Log before = regions_of(mm);
  for (size_t i = 0; i < sizeof addrs / sizeof *addrs; i++)
    for (size_t j = 0; j < sizeof lens / sizeof *lens; j++)
      range(shape, mm, &before, addrs[i], lens[j]);
  mmap_destroy(mm);
}

/* Every number of the table as window, alignment, and bounds of a space. */
static void options(const struct Shape *shape) {
  const uintptr_t numbers[] = {0,   1,       2,   4095,    4096,    4097,
                               P31, P31 + 1, P32, P47,     P63 - 1, P63,
                               MAX - 4095, MAX - 1, MAX};
  const size_t count = sizeof numbers / sizeof *numbers;
  struct MMapAddrSpace *mm = prepared(shape);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < count; j++)
      for (size_t k = 0; k < count; k++) {
        struct MMapOptions options = {0};
        uintptr_t found;
        struct MMapAddrSpace *space;
        options.window_start = numbers[i];
        options.window_len = numbers[j];
        options.align = numbers[k];
        options.placement = (int)((i + j + k) % 8);
        options.hint_rule = (int)((i + k) % 4);
        options.margin_below = j % 3 == 0 ? numbers[(i + k) % count] : 0;
        options.margin_above = k % 3 == 0 ? numbers[(i + j) % count] : 0;
        found = mmap_find_free(mm, shape->pagesize, &options);
        if (found != NONE) {
          CHECK(valid(shape, found, shape->pagesize));
          CHECK(options.align == 0 || found % options.align == 0);
          CHECK(options.window_len == 0 || found >= options.window_start);
        }
        space = mmap_create(numbers[i], numbers[j], numbers[k]);
        if (space) {
          struct MMapTotals totals;
          CHECK(mmap_totals(space, &totals));
          CHECK(totals.start >= numbers[i] && totals.len <= numbers[j]);
          CHECK(totals.start - numbers[i] <= numbers[j] - totals.len);
          CHECK_EQ(totals.start % totals.pagesize, 0);
          CHECK_EQ(totals.len % totals.pagesize, 0);
        }
        mmap_destroy(space);
      }
  mmap_destroy(mm);
}

int main(void) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ranges(&shapes[i]);
    options(&shapes[i]);
  }
  return 0;
}
