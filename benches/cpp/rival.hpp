// rival.hpp - a C++ map of ranges as a subject of the benchmarks: what every
// subject is asked, once, over the little that each map does in its own way.
//
// A map has a default constructor and a copy constructor (or what does its
// work), insert(start, end, value), remove(start, end), and
//   ascending(from, f)     entries that end above `from`, in order, and
//   descending(below, f)   entries that start below `below`, from the last,
// as f(start, end, value) until that returns false; both leave by a template
// parameter's call, which the compiler puts inline.
#ifndef RIVAL_HPP
#define RIVAL_HPP

#include <algorithm>
#include <cstdint>

namespace rival {

// `Value` of value.rs, field by field.
struct Value {
  uint64_t offset;
  uint32_t prot;
  uint32_t flags;
  int32_t fd;
  bool original;
  uint64_t owner;

  // Without branches, as in Rust: which field differs is hard to predict.
  friend bool operator==(const Value &a, const Value &b) {
    const uint32_t words = (a.prot ^ b.prot) | (a.flags ^ b.flags) |
                           static_cast<uint32_t>(a.fd ^ b.fd) |
                           static_cast<uint32_t>(a.original ^ b.original);
    return (words | (a.offset ^ b.offset) | (a.owner ^ b.owner)) == 0;
  }
  friend bool operator!=(const Value &a, const Value &b) { return !(a == b); }
};
static_assert(sizeof(Value) == 32, "as in Rust");

// `CPlace` of cpp.rs, field by field.
struct Place {
  uint64_t len;
  uint64_t low;
  uint64_t high;
  uint64_t align; // a power of two
  bool highest;
};

constexpr uint64_t nowhere = UINT64_MAX;

// The start in the free pages [low, high), if the place fits there. Pages are
// below 2^40: nothing overflows.
inline uint64_t within(const Place &place, uint64_t low, uint64_t high) {
  low = std::max(low, place.low);
  high = std::min(high, place.high);
  if (high < place.len)
    return nowhere;
  const uint64_t last = high - place.len;
  const uint64_t mask = ~(place.align - 1);
  const uint64_t start =
      place.highest ? last & mask : (low + place.align - 1) & mask;
  return low <= start && start <= last ? start : nowhere;
}

// `scan` of subject.rs: from gap to gap until one is long enough.
template <class Map> uint64_t find_gap(const Map &map, const Place &place) {
  uint64_t low = place.low, high = place.high, found = nowhere;
  const auto fits = [&](uint64_t from, uint64_t to) {
    if (to >= from + place.len)
      found = within(place, from, to);
    return found != nowhere;
  };
  if (place.highest)
    map.descending(place.high, [&](uint64_t start, uint64_t end, const Value &) {
      if (end <= place.low || fits(end, high))
        return false;
      high = std::min(high, start);
      return true;
    });
  else
    map.ascending(place.low, [&](uint64_t start, uint64_t end, const Value &) {
      if (start >= place.high || fits(low, start))
        return false;
      low = std::max(low, end);
      return true;
    });
  return found != nowhere ? found : within(place, low, high);
}

template <class Map>
void protect(Map &map, uint64_t start, uint64_t end, uint32_t prot) {
  for (uint64_t done = start; done < end;) {
    uint64_t low = end, high = end;
    Value value{};
    map.ascending(done, [&](uint64_t first, uint64_t last, const Value &found) {
      low = std::max(first, done);
      high = std::min(last, end);
      value = found;
      return false;
    });
    if (low >= end)
      return;
    if (value.prot != prot) {
      value.prot = prot;
      map.insert(low, high, value);
    }
    done = high;
  }
}

template <class Map> uint64_t find(const Map &map, uint64_t page) {
  uint64_t found = nowhere;
  map.ascending(page, [&](uint64_t start, uint64_t, const Value &) {
    found = start <= page ? start : nowhere;
    return false;
  });
  return found;
}

using Visit = bool (*)(void *context, uint64_t start, uint64_t end,
                       const Value *value);

template <class Map>
void overlapping(const Map &map, uint64_t start, uint64_t end, Visit visit,
                 void *context) {
  map.ascending(start, [&](uint64_t low, uint64_t high, const Value &value) {
    return low < end && visit(context, low, high, &value);
  });
}

} // namespace rival

// The functions of one map, as cpp.rs declares them.
#define RIVAL(name, Map)                                                       \
  extern "C" {                                                                 \
  void *rival_##name##_new() { return new Map(); }                             \
  void *rival_##name##_clone(const void *map) {                                \
    return new Map(*static_cast<const Map *>(map));                            \
  }                                                                            \
  void rival_##name##_drop(void *map) { delete static_cast<Map *>(map); }      \
  uint64_t rival_##name##_find(const void *map, uint64_t page) {               \
    return rival::find(*static_cast<const Map *>(map), page);                  \
  }                                                                            \
  void rival_##name##_insert(void *map, uint64_t start, uint64_t end,          \
                             const rival::Value *value) {                      \
    static_cast<Map *>(map)->insert(start, end, *value);                       \
  }                                                                            \
  void rival_##name##_remove(void *map, uint64_t start, uint64_t end) {        \
    static_cast<Map *>(map)->remove(start, end);                               \
  }                                                                            \
  void rival_##name##_protect(void *map, uint64_t start, uint64_t end,         \
                              uint32_t prot) {                                 \
    rival::protect(*static_cast<Map *>(map), start, end, prot);                \
  }                                                                            \
  void rival_##name##_overlapping(const void *map, uint64_t start,             \
                                  uint64_t end, rival::Visit visit,            \
                                  void *context) {                             \
    rival::overlapping(*static_cast<const Map *>(map), start, end, visit,      \
                       context);                                               \
  }                                                                            \
  uint64_t rival_##name##_find_gap(const void *map,                            \
                                   const rival::Place *place) {                \
    return rival::find_gap(*static_cast<const Map *>(map), *place);            \
  }                                                                            \
  }

#endif
