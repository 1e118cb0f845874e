/* layout.c - prints size, alignment and offsets of every struct, and every
 * constant, one a line, for the test to compare with the library's. */
#include <mmap_c.h>
#include <stdalign.h>
#include <stdio.h>

#define STRUCT(type)                                                           \
  printf(#type " size %zu align %zu\n", sizeof(struct type),                   \
         alignof(struct type))
#define FIELD(type, field)                                                     \
  printf(#type "." #field " at %zu size %zu\n", offsetof(struct type, field),  \
         sizeof(((struct type *)0)->field))
#define NUMBER(name) printf(#name " %d\n", (int)name)

int main(void) {
  STRUCT(MMapInfo);
  FIELD(MMapInfo, prot);
  FIELD(MMapInfo, flags);
  FIELD(MMapInfo, fd);
  FIELD(MMapInfo, offset);
  FIELD(MMapInfo, original);
  STRUCT(MMapRegion);
  FIELD(MMapRegion, start);
  FIELD(MMapRegion, len);
  FIELD(MMapRegion, info);
  STRUCT(MMapOptions);
  FIELD(MMapOptions, hint);
  FIELD(MMapOptions, window_start);
  FIELD(MMapOptions, window_len);
  FIELD(MMapOptions, align);
  FIELD(MMapOptions, placement);
  FIELD(MMapOptions, seed);
  FIELD(MMapOptions, hint_rule);
  FIELD(MMapOptions, margin_below);
  FIELD(MMapOptions, margin_above);
  STRUCT(MMapTotals);
  FIELD(MMapTotals, start);
  FIELD(MMapTotals, len);
  FIELD(MMapTotals, pagesize);
  FIELD(MMapTotals, regions);
  FIELD(MMapTotals, mapped);
  FIELD(MMapTotals, largest_gap);
  STRUCT(MMapDataFns);
  FIELD(MMapDataFns, copy);
  FIELD(MMapDataFns, release);
  STRUCT(MMapMapping);
  FIELD(MMapMapping, prot);
  FIELD(MMapMapping, flags);
  FIELD(MMapMapping, fd);
  FIELD(MMapMapping, offset);
  FIELD(MMapMapping, data);
  FIELD(MMapMapping, data_fns);
  FIELD(MMapMapping, guard);
  FIELD(MMapMapping, linear);
  FIELD(MMapMapping, original);
  FIELD(MMapMapping, sealed);
  STRUCT(MMapSegment);
  FIELD(MMapSegment, start);
  FIELD(MMapSegment, len);
  FIELD(MMapSegment, mapped);
  FIELD(MMapSegment, mapping);
  NUMBER(MMAP_OK);
  NUMBER(MMAP_INVAL);
  NUMBER(MMAP_NOMEM);
  NUMBER(MMAP_EXIST);
  NUMBER(MMAP_STOPPED);
  NUMBER(MMAP_PLACE_DEFAULT);
  NUMBER(MMAP_PLACE_LOWEST);
  NUMBER(MMAP_PLACE_HIGHEST);
  NUMBER(MMAP_PLACE_RANDOM);
  NUMBER(MMAP_PLACE_NEAREST);
  NUMBER(MMAP_PLACE_BEST_LOWEST);
  NUMBER(MMAP_PLACE_BEST_HIGHEST);
  NUMBER(MMAP_HINT_EXACT);
  NUMBER(MMAP_HINT_ROUND_DOWN);
  NUMBER(MMAP_HINT_UPWARDS);
  NUMBER(MMAP_HOLES_SKIP);
  NUMBER(MMAP_HOLES_STOP);
  NUMBER(MMAP_HOLES_REFUSE);
  NUMBER(MMAP_OFFSETS_VERBATIM);
  NUMBER(MMAP_OFFSETS_LINEAR);
  printf("error size %zu\n", sizeof(enum MMapError));
  return 0;
}
