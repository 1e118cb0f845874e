/* sandbox.c - memory calls of a guest, kept inside a region of real memory.
 *
 * The host reserves a region and keeps its books with the library. What the
 * guest asks for is decided there, and the callbacks make it real. If a real call
 * is refused, the books stop where it stopped. Afterwards the host restores the
 * state in which the guest was loaded, and compares its regions with the kernel's,
 * /proc/self/maps: they must agree.
 *
 *     cargo xtask capi --prefix DIR
 *     cc examples/sandbox.c -IDIR/include DIR/lib/libmmap.a -o sandbox
 *
 * sandbox.rs does the same from Rust. */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <mmap_c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define SIZE (256 * PAGE)
#define FAILED ((uintptr_t)-1)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

struct Sandbox {
  uintptr_t base;
  struct MMapAddrSpace *mm;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* Any real call can be refused; to show that, one of them is: how many are answered
 * before, or -1. */
static int refuses_after = -1;

static bool host_answers(void) {
  return refuses_after < 0 || refuses_after-- > 0;
}

/* Real memory. */
static bool host_map(uintptr_t addr, size_t len, int prot, int more_flags) {
  int flags = ANONYMOUS | MAP_FIXED | more_flags;
  return host_answers() &&
         mmap((void *)addr, len, prot, flags, -1, 0) != MAP_FAILED;
}

/* Of the region that is unmapped, only the reservation stays. */
static int host_unmap(uintptr_t start, size_t len, struct MMapInfo info,
                      void *udata) {
  (void)info, (void)udata;
  return !host_map(start, len, PROT_NONE, MAP_NORESERVE);
}

/* udata: the new protection. */
static int host_protect(uintptr_t start, size_t len, struct MMapInfo info,
                        void *udata) {
  int prot = *(int *)udata;
  return info.prot != prot &&
         !(host_answers() && mprotect((void *)start, len, prot) == 0);
}

static void create(struct Sandbox *box) {
  void *base = mmap(NULL, SIZE, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    die("mmap");
  box->base = (uintptr_t)base;
  box->mm = mmap_create(box->base, SIZE, PAGE);
  if (!box->mm)
    die("mmap_create");
}

/* The guest's mmap: anywhere if addr is 0, else exactly there.
 *
 * The books first, in a copy that counts only if the host agrees: one call of the
 * host replaces whatever is there. */
static uintptr_t guest_mmap(struct Sandbox *box, uintptr_t addr, size_t len,
                            int prot) {
  struct MMapAddrSpace *next = mmap_copy(box->mm), *old = box->mm;
  uintptr_t at =
      addr ? mmap_map_at(next, addr, len, prot, ANONYMOUS, -1, 0, NULL, NULL)
           : mmap_map_any(next, 0, len, prot, ANONYMOUS, -1, 0);
  if (at == FAILED || !host_map(at, len, prot, 0)) {
    mmap_destroy(next);
    return FAILED;
  }
  box->mm = next;
  mmap_destroy(old);
  return at;
}

/* The host, region by region, and the books as far as it goes. */
static int guest_munmap(struct Sandbox *box, uintptr_t addr, size_t len) {
  return mmap_unmap_until(box->mm, addr, len, host_unmap, NULL);
}

static int guest_mprotect(struct Sandbox *box, uintptr_t addr, size_t len,
                          int prot) {
  return mmap_protect_until(box->mm, addr, len, prot, host_protect, &prot);
}

static void expect(int ok, const char *what) {
  printf("%-52s %s\n", what, ok ? "yes" : "NO");
  if (!ok)
    exit(1);
}

/* Regions that can be accessed, adjacent equal ones as one. */
struct List {
  size_t count;
  struct {
    uintptr_t start, end;
    int prot;
  } items[64];
};

static void append(struct List *list, uintptr_t start, uintptr_t end, int prot) {
  size_t last = list->count - 1;
  if (prot == PROT_NONE)
    return; /* the kernel lists the reservation so too */
  if (list->count > 0 && list->items[last].end == start &&
      list->items[last].prot == prot) {
    list->items[last].end = end;
    return;
  }
  if (list->count == sizeof list->items / sizeof *list->items)
    die("too many regions");
  list->items[list->count].start = start;
  list->items[list->count].end = end;
  list->items[list->count++].prot = prot;
}

static struct List ours(const struct Sandbox *box) {
  struct List list = {0};
  struct MMapRegion region;
  for (bool more = mmap_next_region(box->mm, NULL, &region); more;
       more = mmap_next_region(box->mm, &region, &region))
    append(&list, region.start, region.start + region.len, region.info.prot);
  return list;
}

static struct List kernels(const struct Sandbox *box) {
  struct List list = {0};
  char line[512], perms[5];
  uintptr_t start, end;
  FILE *maps = fopen("/proc/self/maps", "r");
  if (!maps)
    die("/proc/self/maps");
  while (fgets(line, sizeof line, maps)) {
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, perms) != 3)
      die(line);
    /* A neighbour can be in one line with our first or last page. */
    start = start < box->base ? box->base : start;
    end = end > box->base + SIZE ? box->base + SIZE : end;
    if (start < end)
      append(&list, start, end,
             (perms[0] == 'r' ? PROT_READ : 0) |
                 (perms[1] == 'w' ? PROT_WRITE : 0) |
                 (perms[2] == 'x' ? PROT_EXEC : 0));
  }
  fclose(maps);
  return list;
}

/* A line of a list, empty after its end. */
struct Cell {
  char text[64];
};

static struct Cell cell(const struct Sandbox *box, const struct List *list,
                        size_t i) {
  struct Cell cell = {""};
  if (i < list->count)
    snprintf(cell.text, sizeof cell.text, "%06" PRIxPTR "-%06" PRIxPTR " %c%c%c",
             list->items[i].start - box->base, list->items[i].end - box->base,
             list->items[i].prot & PROT_READ ? 'r' : '-',
             list->items[i].prot & PROT_WRITE ? 'w' : '-',
             list->items[i].prot & PROT_EXEC ? 'x' : '-');
  return cell;
}

/* Both lists side by side. */
static void compare(const struct Sandbox *box, const char *when) {
  struct List a = ours(box), b = kernels(box);
  bool same = a.count == b.count;
  printf("\n%s\n  %-20s %s\n", when, "library", "kernel");
  for (size_t i = 0; i < a.count || i < b.count; i++) {
    struct Cell left = cell(box, &a, i), right = cell(box, &b, i);
    printf("  %-20s %s\n", left.text, right.text);
    same = same && strcmp(left.text, right.text) == 0;
  }
  expect(same, "they agree");
}

/* How many regions have a byte in [addr, addr + len). */
static size_t regions_from(const struct Sandbox *box, uintptr_t addr, size_t len) {
  size_t count = 0;
  struct MMapRegion region = {0};
  region.start = addr;
  while (mmap_next_region(box->mm, &region, &region) && region.start < addr + len)
    count++;
  return count;
}

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  struct Sandbox box;
  struct MMapTotals totals;
  uintptr_t text, data, stack, heap;
  size_t regions;
  create(&box);

  /* What every guest starts with. */
  text = guest_mmap(&box, 0, 8 * PAGE, PROT_READ);
  data = guest_mmap(&box, 0, 4 * PAGE, rw);
  stack = guest_mmap(&box, box.base + SIZE - 16 * PAGE, 16 * PAGE, rw);
  guest_mprotect(&box, stack, PAGE, PROT_NONE);
  memset((void *)data, 1, 4 * PAGE);
  mmap_mark_original(box.mm);
  compare(&box, "loaded");

  /* The guest runs. */
  printf("\n");
  heap = guest_mmap(&box, 0, 32 * PAGE, rw);
  expect(heap == data + 4 * PAGE, "the heap follows the data");
  memset((void *)heap, 2, 32 * PAGE);
  expect(guest_munmap(&box, heap + 8 * PAGE, 8 * PAGE) == MMAP_OK, "a hole in the heap");
  expect(guest_mprotect(&box, heap, 32 * PAGE, PROT_READ) == MMAP_OK, "read-only around it");
  expect(guest_mmap(&box, heap + 4 * PAGE, 2 * PAGE, rw) != FAILED, "replaced in place");
  expect(guest_mmap(&box, box.base + SIZE + PAGE, PAGE, rw) == FAILED, "nothing above the sandbox");
  expect(guest_mmap(&box, box.base - PAGE, PAGE, rw) == FAILED, "nothing below it");
  expect(guest_mmap(&box, text, 2 * SIZE, rw) == FAILED, "nothing that reaches out");
  expect(guest_munmap(&box, text, (size_t)0 - text) == MMAP_INVAL, "nothing that wraps");
  expect(mmap_check_access(box.mm, data, 4 * PAGE, rw, NULL), "the guest's buffer is writable");
  expect(!mmap_check_access(box.mm, stack, PAGE, PROT_READ, NULL), "the guard page is not readable");
  compare(&box, "after the guest ran");

  /* The host refuses in the middle, and the books say what it did. */
  printf("\n");
  regions = regions_from(&box, heap, 32 * PAGE);
  refuses_after = 2;
  expect(guest_munmap(&box, heap, 32 * PAGE) == MMAP_STOPPED, "the host refuses in the middle of munmap");
  expect(regions_from(&box, heap, 32 * PAGE) + 2 == regions, "the books have let two regions go");
  refuses_after = 0;
  expect(guest_mmap(&box, data, 16 * PAGE, rw) == FAILED, "the host refuses to map");
  refuses_after = -1;
  compare(&box, "after the host refused");

  /* The next guest finds what the first one found. */
  if (mmap_unmap_non_original_until(box.mm, host_unmap, NULL) != MMAP_OK)
    die("restoring");
  compare(&box, "restored");
  mmap_totals(box.mm, &totals);
  printf("\n%zu regions, %zu of %zu KiB mapped\n", totals.regions,
         totals.mapped / 1024, totals.len / 1024);
  mmap_destroy(box.mm);
  return munmap((void *)box.base, SIZE) != 0;
}
