// maple.c - Linux's tree of memory areas (lib/maple_tree.c) as a subject of the
// benchmarks: what mm/vma.c and mm/mmap.c do with it, in as few steps as they
// and fewer. An area keeps its ends, as there, and is 48 bytes instead of 192.
#include "kernel.h"

#include "maple_tree.c"

// `Value` of value.rs, field by field.
struct value {
  uint64_t offset;
  uint32_t prot;
  uint32_t flags;
  int32_t fd;
  bool original;
  uint64_t owner;
};
_Static_assert(sizeof(struct value) == 32, "as in Rust");

struct area {
  unsigned long start, end;
  struct value value;
};

// `CPlace` of cpp.rs, field by field.
struct place {
  uint64_t len;
  uint64_t low;
  uint64_t high;
  uint64_t align; // a power of two
  bool highest;
};

static const uint64_t nowhere = UINT64_MAX;
static _Thread_local struct pool areas;

// Without branches, as in Rust: which field differs is hard to predict.
static inline bool equal(const struct value *a, const struct value *b) {
  const uint32_t words = (a->prot ^ b->prot) | (a->flags ^ b->flags) |
                         (uint32_t)(a->fd ^ b->fd) |
                         (uint32_t)(a->original ^ b->original);
  return (words | (a->offset ^ b->offset) | (a->owner ^ b->owner)) == 0;
}

static inline struct area *area_new(unsigned long start, unsigned long end,
                                    const struct value *value) {
  struct area *area = pool_take(&areas, sizeof(struct area));
  *area = (struct area){start, end, *value};
  return area;
}

static inline void store(struct ma_state *mas, struct area *area) {
  BUG_ON(mas_store_gfp(mas, area, GFP_KERNEL) != 0);
}

static inline void store_at(struct maple_tree *map, struct area *area) {
  MA_STATE(mas, map, area->start, area->end - 1);
  store(&mas, area);
}

void *rival_maple_new(void) {
  struct maple_tree *map = malloc(sizeof *map);
  // As for processes, but without what readers beside a writer cost it.
  mt_init_flags(map, MT_FLAGS_ALLOC_RANGE);
  return map;
}

// As a process is forked: the tree as it is, then an area for each that it had.
void *rival_maple_clone(struct maple_tree *map) {
  struct maple_tree *copy = rival_maple_new();
  BUG_ON(__mt_dup(map, copy, GFP_KERNEL) != 0);
  MA_STATE(mas, copy, 0, 0);
  struct area *area;
  mas_for_each(&mas, area, ULONG_MAX)
    mas_store(&mas, area_new(area->start, area->end, &area->value));
  return copy;
}

void rival_maple_drop(struct maple_tree *map) {
  MA_STATE(mas, map, 0, 0);
  struct area *area;
  mas_for_each(&mas, area, ULONG_MAX)
    pool_give(&areas, area);
  __mt_destroy(map);
  free(map);
}

uint64_t rival_maple_find(struct maple_tree *map, uint64_t page) {
  const struct area *area = mtree_load(map, page);
  return area ? area->start : nowhere;
}

// What is in the way of a range and in part outside it.
struct way {
  struct ma_state at; // in the slot that was found first
  struct area *left;  // starts below the range
  struct area *right; // ends above it
};

// Looks at all areas that have a page of [from, to), of which the range
// [start, end) is all or leaves one page out at each end, and frees those that
// are in the range as a whole: the tree must not have them any more.
static inline struct way clear(struct maple_tree *map, unsigned long from,
                               unsigned long start, unsigned long end,
                               unsigned long to) {
  MA_STATE(mas, map, from, from);
  struct way way = {.left = NULL, .right = NULL};
  struct area *area = mas_walk(&mas);
  way.at = mas;
  if (!area)
    area = mas_next(&mas, to - 1);
  for (; area; area = mas_next(&mas, to - 1)) {
    if (area->start < start)
      way.left = area;
    if (area->end > end) {
      way.right = area;
      break;
    }
    if (area->start >= start)
      pool_give(&areas, area);
  }
  return way;
}

// Stores where `mas` is, if the range starts there, else after a look for it.
static inline void store_near(struct ma_state *mas, unsigned long start,
                              unsigned long end, struct area *area) {
  if (mas->status == ma_active && mas->index <= start && start <= mas->last)
    __mas_set_range(mas, start, end - 1);
  else
    mas_set_range(mas, start, end - 1);
  store(mas, area);
}

void rival_maple_insert(struct maple_tree *map, uint64_t start, uint64_t end,
                        const struct value *value) {
  struct way way = clear(map, start ? start - 1 : 0, start, end, end + 1);
  struct area *left = way.left, *right = way.right, *area = NULL;
  const bool joins_left = left && equal(&left->value, value);
  const bool joins_right = right && equal(&right->value, value);
  if (joins_left && left == right)
    return;
  if (joins_left) {
    area = left;
    start = left->start;
  } else if (left && left == right) {
    right = area_new(end, left->end, &left->value);
    left->end = start;
    store_at(map, right);
    way.at.status = ma_start;
  } else if (left) {
    left->end = start;
  }
  if (joins_right) {
    end = right->end;
    if (area)
      pool_give(&areas, right);
    else
      area = right;
  } else if (right) {
    right->start = end;
  }
  if (area) {
    area->start = start;
    area->end = end;
  } else {
    area = area_new(start, end, value);
  }
  store_near(&way.at, start, end, area);
}

void rival_maple_remove(struct maple_tree *map, uint64_t start, uint64_t end) {
  struct way way = clear(map, start, start, end, end);
  struct area *left = way.left, *right = way.right, *rest = NULL;
  if (left && left == right && end < left->end)
    rest = area_new(end, left->end, &left->value);
  else if (right && right->start < end)
    right->start = end;
  if (left && left->end > start)
    left->end = start;
  store_near(&way.at, start, end, NULL);
  if (rest)
    store_at(map, rest);
}

void rival_maple_protect(struct maple_tree *map, uint64_t start, uint64_t end,
                         uint32_t prot) {
  for (uint64_t done = start; done < end;) {
    unsigned long index = done;
    const struct area *area = mt_find(map, &index, end - 1);
    if (!area)
      return;
    const uint64_t low = max(area->start, done), high = min(area->end, end);
    if (area->value.prot != prot) {
      struct value value = area->value;
      value.prot = prot;
      rival_maple_insert(map, low, high, &value);
    }
    done = high;
  }
}

typedef bool (*visit_fn)(void *context, uint64_t start, uint64_t end,
                         const struct value *value);

void rival_maple_overlapping(struct maple_tree *map, uint64_t start,
                             uint64_t end, visit_fn visit, void *context) {
  MA_STATE(mas, map, start, start);
  const struct area *area;
  mas_for_each(&mas, area, end - 1)
    if (!visit(context, area->start, area->end, &area->value))
      return;
}

// The lowest gap that is long enough, then the next, until alignment fits too.
static uint64_t lowest(struct maple_tree *map, const struct place *place) {
  for (uint64_t low = place->low; low < place->high;) {
    MA_STATE(mas, map, 0, 0);
    if (mas_empty_area(&mas, low, place->high - 1, place->len) != 0)
      return nowhere;
    const uint64_t start = (mas.index + place->align - 1) & ~(place->align - 1);
    if (start == mas.index)
      return start;
    mas_walk(&mas);
    const uint64_t end = min(mas.last, place->high - 1);
    if (start + place->len - 1 <= end)
      return start;
    low = end + 1;
  }
  return nowhere;
}

static uint64_t highest(struct maple_tree *map, const struct place *place) {
  for (uint64_t high = place->high; high > place->low;) {
    MA_STATE(mas, map, 0, 0);
    if (mas_empty_area_rev(&mas, place->low, high - 1, place->len) != 0)
      return nowhere;
    const uint64_t start = mas.index & ~(place->align - 1);
    if (start == mas.index)
      return start;
    mas_walk(&mas);
    if (start >= max(mas.index, place->low))
      return start;
    high = mas.index;
  }
  return nowhere;
}

uint64_t rival_maple_find_gap(struct maple_tree *map,
                              const struct place *place) {
  return place->highest ? highest(map, place) : lowest(map, place);
}
