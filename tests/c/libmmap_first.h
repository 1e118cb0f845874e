/* libmmap_first.h - what libmmap's mmap_c.h leaves behind, for both_headers.c:
 * its guard, and names that it shares with ours. With WITHOUT_HINT, as before
 * mmap_map_any had a hint and mmap_enable_aslr was there. */
#ifndef LIBMMAP_C_H
#define LIBMMAP_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct MMapAddrSpace;
struct MMapInfo {
  int prot, flags, fd;
  int64_t offset;
  bool original;
};
enum MMapError { MMAP_OK, MMAP_INVAL, MMAP_NOMEM };
typedef void (*MMapUpdateFn)(uintptr_t, size_t, struct MMapInfo, void *);

struct MMapAddrSpace *mmap_create(uintptr_t, size_t, size_t);
void mmap_destroy(struct MMapAddrSpace *);
#ifdef WITHOUT_HINT
uintptr_t mmap_map_any(struct MMapAddrSpace *, size_t, int, int, int, int64_t);
#else
uintptr_t mmap_map_any(struct MMapAddrSpace *, uintptr_t, size_t, int, int, int,
                       int64_t);
#endif
enum MMapError mmap_unmap(struct MMapAddrSpace *, uintptr_t, size_t,
                          MMapUpdateFn, void *);
bool mmap_query_page(const struct MMapAddrSpace *, uintptr_t,
                     struct MMapInfo *);

#ifdef __cplusplus
}
#endif

#endif /* LIBMMAP_C_H */
