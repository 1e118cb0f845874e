/* check.h - assertions that say what they saw, and callbacks that remember. */
#ifndef CHECK_H
#define CHECK_H

#include <mmap_c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE ((uintptr_t)-1)
#define PAGE ((uintptr_t)4096)

/* Ends the program unless two numbers are equal; shows both. */
#define CHECK_EQ(got, expected)                                                \
  check_eq((uintmax_t)(got), (uintmax_t)(expected), #got, #expected, __FILE__, \
           __LINE__)
#define CHECK(condition) CHECK_EQ(!!(condition), 1)

static inline void check_eq(uintmax_t got, uintmax_t expected,
                            const char *got_text, const char *expected_text,
                            const char *file, int line) {
  if (got == expected)
    return;
  fprintf(stderr, "%s:%d: %s is %#jx, but %s is %#jx\n", file, line, got_text,
          got, expected_text, expected);
  exit(1);
}

/* Regions that were reported, or that a space has. */
struct Log {
  size_t count;
  size_t stop; /* stop_at says so at this count */
  struct MMapRegion regions[64];
};

static inline void log_region(struct Log *log, struct MMapRegion region) {
  CHECK(log->count < sizeof log->regions / sizeof *log->regions);
  log->regions[log->count++] = region;
}

/* An MMapUpdateFn: udata is a struct Log. */
static inline void record(uintptr_t start, size_t len, struct MMapInfo info,
                          void *udata) {
  struct MMapRegion region;
  region.start = start;
  region.len = len;
  region.info = info;
  log_region((struct Log *)udata, region);
}

/* An MMapStopFn: udata is a struct Log. */
static inline int stop_at(uintptr_t start, size_t len, struct MMapInfo info,
                          void *udata) {
  struct Log *log = (struct Log *)udata;
  record(start, len, info, udata);
  return log->count == log->stop ? -7 : 0;
}

static inline bool same_info(const struct MMapInfo *a,
                             const struct MMapInfo *b) {
  return a->prot == b->prot && a->flags == b->flags && a->fd == b->fd &&
         a->offset == b->offset && a->original == b->original;
}

static inline bool same_region(const struct MMapRegion *a,
                               const struct MMapRegion *b) {
  return a->start == b->start && a->len == b->len &&
         same_info(&a->info, &b->info);
}

static inline bool same_log(const struct Log *a, const struct Log *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (!same_region(&a->regions[i], &b->regions[i]))
      return false;
  return true;
}

/* All regions of a space. */
static inline struct Log regions_of(const struct MMapAddrSpace *mm) {
  struct Log log;
  struct MMapRegion region;
  memset(&log, 0, sizeof log);
  for (bool more = mmap_next_region(mm, NULL, &region); more;
       more = mmap_next_region(mm, &region, &region))
    log_region(&log, region);
  return log;
}

/* A region of a log, by its bounds and protection. */
#define CHECK_REGION(log, index, start_, len_, prot_)                          \
  do {                                                                         \
    CHECK((log).count > (index));                                              \
    CHECK_EQ((log).regions[index].start, start_);                              \
    CHECK_EQ((log).regions[index].len, len_);                                  \
    CHECK_EQ((log).regions[index].info.prot, prot_);                           \
  } while (0)

#endif /* CHECK_H */
