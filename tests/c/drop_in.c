/* drop_in.c - a program that knows libmmap only: its prototypes, its structs,
 * its results inside the space. */
#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <mmap_c.h>

/* libmmap's declarations once more: a difference does not compile. */
struct MMapAddrSpace *mmap_create(uintptr_t start, size_t len, size_t pagesize);
void mmap_destroy(struct MMapAddrSpace *mm);
void mmap_reset(struct MMapAddrSpace *mm);
void mmap_enable_aslr(struct MMapAddrSpace *mm, uint64_t seed);
uintptr_t mmap_map_any(struct MMapAddrSpace *mm, uintptr_t hint, size_t len,
                       int prot, int flags, int fd, int64_t offset);
uintptr_t mmap_map_at(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                      int prot, int flags, int fd, int64_t offset,
                      MMapUpdateFn ufn, void *udata);
enum MMapError mmap_unmap(struct MMapAddrSpace *mm, uintptr_t addr, size_t len,
                          MMapUpdateFn ufn, void *udata);
bool mmap_query_page(const struct MMapAddrSpace *mm, uintptr_t addr,
                     struct MMapInfo *info);
enum MMapError mmap_protect(struct MMapAddrSpace *mm, uintptr_t addr,
                            size_t len, int prot, MMapUpdateFn ufn,
                            void *udata);
void mmap_mark_original(struct MMapAddrSpace *mm);
void mmap_unmap_non_original(struct MMapAddrSpace *mm, MMapUpdateFn ufn,
                             void *udata);

_Static_assert(MMAP_OK == 0 && MMAP_INVAL == 1 && MMAP_NOMEM == 2, "errors");
_Static_assert(offsetof(struct MMapInfo, prot) == 0, "prot");
_Static_assert(offsetof(struct MMapInfo, flags) == sizeof(int), "flags");
_Static_assert(offsetof(struct MMapInfo, fd) == 2 * sizeof(int), "fd");
_Static_assert(offsetof(struct MMapInfo, offset) >= 3 * sizeof(int), "offset");
_Static_assert(offsetof(struct MMapInfo, original) ==
                   offsetof(struct MMapInfo, offset) + 8,
               "original");

enum { PAGE = 4096, BASE = 0x100000, PAGES = 16 };
#define END ((uintptr_t)BASE + PAGES * PAGE)
#define FAILED ((uintptr_t)-1)

/* What the callbacks saw, a line each. */
struct Lines {
  char text[1024];
};

static void note(uintptr_t start, size_t len, struct MMapInfo info,
                 void *udata) {
  struct Lines *lines = udata;
  size_t used = strlen(lines->text);
  snprintf(lines->text + used, sizeof lines->text - used,
           "%zu+%zu prot %d fd %d offset %lld%s\n", (size_t)(start - BASE) / PAGE,
           len / PAGE, info.prot, info.fd, (long long)info.offset,
           info.original ? " original" : "");
}

static void expect(struct Lines *lines, const char *text) {
  if (strcmp(lines->text, text) != 0)
    fprintf(stderr, "expected:\n%sgot:\n%s", text, lines->text);
  assert(strcmp(lines->text, text) == 0);
  lines->text[0] = '\0';
}

static uintptr_t page(int number) { return BASE + (uintptr_t)number * PAGE; }

static void places(struct MMapAddrSpace *mm) {
  assert(mmap_map_any(mm, 0, 2 * PAGE, 3, 0, -1, 0) == page(0));
  assert(mmap_map_any(mm, 0, 1, 1, 0, -1, 0) == page(2));
  assert(mmap_unmap(mm, page(0), 2 * PAGE, NULL, NULL) == MMAP_OK);
  assert(mmap_map_any(mm, 0, 3 * PAGE, 3, 0, -1, 0) == page(3)); /* too long */
  assert(mmap_map_any(mm, 0, PAGE, 3, 0, -1, 0) == page(0));     /* reused */
  /* Hints: taken; occupied; not aligned; outside. */
  assert(mmap_map_any(mm, page(9), PAGE, 5, 0, -1, 0) == page(9));
  assert(mmap_map_any(mm, page(9), PAGE, 1, 0, -1, 0) == page(1));
  assert(mmap_map_any(mm, page(12) + 1, PAGE, 4, 0, -1, 0) == page(6));
  assert(mmap_map_any(mm, page(-4), PAGE, 7, 0, -1, 0) == page(7));
  assert(mmap_map_any(mm, 0, 0, 3, 0, -1, 0) == FAILED);
  assert(mmap_map_any(mm, 0, 17 * PAGE, 3, 0, -1, 0) == FAILED);
  mmap_reset(mm);
  assert(mmap_map_any(mm, 0, PAGES * PAGE, 3, 0, -1, 0) == page(0));
  assert(mmap_map_any(mm, 0, PAGE, 3, 0, -1, 0) == FAILED);
  mmap_reset(mm);
}

static void changes(struct MMapAddrSpace *mm) {
  struct Lines lines = {""};
  struct MMapInfo info;
  assert(mmap_map_at(mm, page(1), 4 * PAGE, 3, 2, 7, 100, note, &lines) == page(1));
  expect(&lines, "");
  /* Replacing the middle reports it clipped, with the offset as given. */
  assert(mmap_map_at(mm, page(2), PAGE, 1, 2, -1, 0, note, &lines) == page(2));
  expect(&lines, "2+1 prot 3 fd 7 offset 100\n");
  assert(mmap_query_page(mm, page(4) + 5, &info));
  assert(info.prot == 3 && info.flags == 2 && info.fd == 7);
  assert(info.offset == 100 && !info.original);
  /* Across holes: MMAP_OK, ascending, the old protection. */
  assert(mmap_protect(mm, page(0), 9 * PAGE, 5, note, &lines) == MMAP_OK);
  expect(&lines, "1+1 prot 3 fd 7 offset 100\n"
                 "2+1 prot 1 fd -1 offset 0\n"
                 "3+2 prot 3 fd 7 offset 100\n");
  assert(mmap_unmap(mm, page(4), 9 * PAGE, note, &lines) == MMAP_OK);
  expect(&lines, "4+1 prot 5 fd 7 offset 100\n");
  assert(!mmap_query_page(mm, page(4), &info));
  /* Refused: misaligned, empty. */
  assert(mmap_map_at(mm, page(1) + 1, PAGE, 3, 0, -1, 0, note, &lines) == FAILED);
  assert(mmap_map_at(mm, page(1), 0, 3, 0, -1, 0, note, &lines) == FAILED);
  assert(mmap_unmap(mm, page(1) + 1, PAGE, note, &lines) == MMAP_INVAL);
  assert(mmap_unmap(mm, page(1), 0, note, &lines) == MMAP_INVAL);
  assert(mmap_protect(mm, page(1) + 1, PAGE, 0, note, &lines) == MMAP_INVAL);
  assert(mmap_protect(mm, page(1), 0, 0, note, &lines) == MMAP_INVAL);
  expect(&lines, "");
  mmap_reset(mm);
}

static void restores(struct MMapAddrSpace *mm) {
  struct Lines lines = {""};
  struct MMapInfo info;
  mmap_map_at(mm, page(1), 3 * PAGE, 3, 0, -1, 0, NULL, NULL);
  mmap_mark_original(mm);
  mmap_map_at(mm, page(2), PAGE, 1, 0, -1, 0, note, &lines);
  expect(&lines, "2+1 prot 3 fd -1 offset 0 original\n");
  mmap_map_at(mm, page(8), PAGE, 1, 0, -1, 0, NULL, NULL);
  mmap_unmap_non_original(mm, note, &lines);
  expect(&lines, "2+1 prot 1 fd -1 offset 0\n8+1 prot 1 fd -1 offset 0\n");
  assert(mmap_query_page(mm, page(1), &info) && info.original);
  assert(!mmap_query_page(mm, page(2), &info));
  mmap_reset(mm);
}

/* What libmmap lets through. */
static void stays_inside(struct MMapAddrSpace *mm) {
  struct MMapInfo info;
  assert(mmap_map_at(mm, END + PAGE, PAGE, 3, 0, -1, 0, NULL, NULL) == FAILED);
  assert(mmap_map_any(mm, END + PAGE, PAGE, 3, 0, -1, 0) == page(0));
  assert(mmap_unmap(mm, END + PAGE, PAGE, NULL, NULL) == MMAP_INVAL);
  assert(mmap_protect(mm, END + PAGE, PAGE, 0, NULL, NULL) == MMAP_INVAL);
  assert(!mmap_query_page(mm, END + PAGE, &info));
  assert(mmap_map_at(mm, page(1), (size_t)0 - page(1), 3, 0, -1, 0, NULL, NULL) == FAILED);
  assert(mmap_map_at(mm, page(1), (size_t)-1, 3, 0, -1, 0, NULL, NULL) == FAILED);
  mmap_reset(mm);
}

static void scatters(struct MMapAddrSpace *mm) {
  uintptr_t first[8];
  int below = 0;
  for (int round = 0; round < 2; round++) {
    mmap_reset(mm);
    mmap_enable_aslr(mm, 42);
    for (int i = 0; i < 8; i++) {
      uintptr_t addr = mmap_map_any(mm, 0, PAGE, 3, 0, -1, 0);
      assert(addr >= BASE && addr < END && addr % PAGE == 0);
      assert(round == 0 || addr == first[i]);
      first[i] = addr;
      below += addr < page(8);
    }
  }
  assert(below > 0 && below < 16);
}

int main(void) {
  struct MMapAddrSpace *mm = mmap_create(BASE, PAGES * PAGE, PAGE);
  assert(mm);
  places(mm);
  changes(mm);
  restores(mm);
  stays_inside(mm);
  scatters(mm);
  mmap_destroy(mm);
  return 0;
}
