/* leave.c - a callback that does not return. With `exit` or `cancel`, its thread
 * ends: that ends the program, by abort. With `jump`, it jumps out: the space
 * stays busy. */
#include "check.h"
#include <pthread.h>
#include <setjmp.h>

static const uintptr_t base = 0x100000;
static jmp_buf out;
static struct MMapAddrSpace *mm;

static void leave(uintptr_t start, size_t len, struct MMapInfo info,
                  void *udata) {
  const char *how = (const char *)udata;
  (void)start, (void)len, (void)info;
  if (strcmp(how, "jump") == 0)
    longjmp(out, 1);
  if (strcmp(how, "exit") == 0)
    pthread_exit(NULL);
  pthread_cancel(pthread_self());
  pthread_testcancel();
}

static void *unmaps(void *how) {
  if (setjmp(out) == 0)
    mmap_unmap(mm, base, 4 * PAGE, leave, how);
  return NULL;
}

int main(int argc, char **argv) {
  struct MMapTotals totals;
  pthread_t thread;
  CHECK_EQ(argc, 2);
  mm = mmap_create(base, 16 * PAGE, PAGE);
  CHECK_EQ(mmap_map_any(mm, 0, 4 * PAGE, 1, 0, -1, 0), base);
  CHECK_EQ(pthread_create(&thread, NULL, unmaps, argv[1]), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  /* Only `jump` gets here. Nothing works, and nothing frees the space. */
  CHECK_EQ(mmap_map_any(mm, 0, PAGE, 1, 0, -1, 0), NONE);
  CHECK_EQ(mmap_unmap(mm, base, PAGE, NULL, NULL), MMAP_INVAL);
  mmap_destroy(mm);
  CHECK(!mmap_totals(mm, &totals));
  return 0;
}
