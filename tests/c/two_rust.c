/* two_rust.c - libmmap's library and a second one that is written in Rust,
 * second.rs, in one program. The second one catches its panics, also in a
 * callback. With the argument `leave`, one leaves a callback: that ends the
 * program, by abort. */
#include "check.h"

int second_catches(void);
void second_panics(void);

static void catches(uintptr_t start, size_t len, struct MMapInfo info,
                    void *udata) {
  int *calls = (int *)udata;
  (void)start, (void)len, (void)info;
  ++*calls;
  CHECK_EQ(second_catches(), *calls + 1);
}

static void leaves(uintptr_t start, size_t len, struct MMapInfo info,
                   void *udata) {
  (void)start, (void)len, (void)info, (void)udata;
  second_panics();
}

int main(int argc, char **argv) {
  const uintptr_t base = 0x100000;
  struct MMapAddrSpace *mm = mmap_create(base, 16 * PAGE, PAGE);
  int calls = 0;
  CHECK(mm != NULL);
  CHECK_EQ(mmap_map_any(mm, 0, 2 * PAGE, 1, 0, -1, 0), base);
  CHECK_EQ(mmap_map_any(mm, 0, 2 * PAGE, 3, 0, -1, 0), base + 2 * PAGE);
  if (argc > 1 && strcmp(argv[1], "leave") == 0) {
    mmap_unmap(mm, base, PAGE, leaves, NULL);
    return 0;
  }
  CHECK_EQ(second_catches(), 1);
  CHECK_EQ(mmap_unmap(mm, base + PAGE, 2 * PAGE, catches, &calls), MMAP_OK);
  CHECK_EQ(calls, 2);
  CHECK_EQ(regions_of(mm).count, 2);
  CHECK_EQ(second_catches(), 4);
  mmap_destroy(mm);
  return 0;
}
