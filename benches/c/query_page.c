/* query_page.c - one side of `cargo xtask capi --bench`: looks up pages through
 * the C interface, a round for each line that it is told.
 *
 * Arguments: number of regions, number of look-ups a round. A region is a page,
 * with a page free after it. Prints, for each line of standard input, the
 * round's nanoseconds and the sum of what the look-ups found. A round does its
 * look-ups twice and times the second pass: the first one fills the caches. */
#include <inttypes.h>
#include <mmap_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const uintptr_t page = 4096;

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The sum of what look-ups find, in an order that is always the same. */
static uint64_t pass(const struct MMapAddrSpace *mm, uint64_t regions,
                     uint64_t lookups) {
  uint64_t state = 1, sum = 0;
  for (uint64_t i = 0; i < lookups; i++) {
    struct MMapInfo info;
    uint64_t number;
    /* Knuth's MMIX generator; its high bits choose a page. */
    state = state * 6364136223846793005u + 1442695040888963407u;
    number = ((state >> 32) * 2 * regions) >> 32;
    if (mmap_query_page(mm, page + number * page, &info))
      sum += (uint64_t)info.prot;
  }
  return sum;
}

int main(int argc, char **argv) {
  char line[16];
  const uint64_t regions = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
  const uint64_t lookups = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
  struct MMapAddrSpace *mm =
      mmap_create(page, (size_t)(2 * regions * page), page);
  if (!mm)
    return 1;
  for (uint64_t i = 0; i < regions; i++)
    if (mmap_map_at(mm, page + 2 * i * page, page, 1 + (int)(i % 7), 0, -1, 0,
                    NULL, NULL) == (uintptr_t)-1)
      return 1;
  while (fgets(line, sizeof line, stdin)) {
    const uint64_t first = pass(mm, regions, lookups);
    const uint64_t begin = nanoseconds();
    const uint64_t sum = pass(mm, regions, lookups);
    if (first != sum)
      return 1;
    printf("%" PRIu64 " %" PRIu64 "\n", nanoseconds() - begin, sum);
    fflush(stdout);
  }
  mmap_destroy(mm);
  return 0;
}
