/* both_headers.c - libmmap's header and ours in one file, in either order. */
#ifdef OURS_FIRST
#include <mmap_c.h>
/* Then theirs. */
#include "libmmap_first.h"
#else
#include "libmmap_first.h"
/* Then ours. */
#include <mmap_c.h>
#endif

int main(void) {
  struct MMapAddrSpace *mm = mmap_create(4096, 65536, 4096);
  struct MMapInfo info;
  struct MMapTotals totals;
  bool right;
  mmap_enable_aslr(mm, 1);
  right = mmap_set_placement(mm, MMAP_PLACE_LOWEST, 0) == MMAP_OK &&
          mmap_map_any(mm, 8192, 8192, 1, 0, -1, 0) == 8192 &&
          mmap_unmap(mm, 12288, 4096, NULL, NULL) == MMAP_OK &&
          mmap_query_page(mm, 8192, &info) && info.prot == 1 &&
          mmap_totals(mm, &totals) && totals.mapped == 4096;
  mmap_destroy(mm);
  return right ? 0 : 1;
}
