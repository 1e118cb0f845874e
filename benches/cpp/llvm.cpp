// llvm.cpp - LLVM's IntervalMap, which joins equal neighbours and can be
// neither copied nor written over: both are done here, over its iterators.
#include "rival.hpp"

#include <llvm/ADT/IntervalMap.h>

namespace {

using rival::Value;

class Map {
  using Ranges =
      llvm::IntervalMap<uint64_t, Value,
                        llvm::IntervalMapImpl::NodeSizer<uint64_t,
                                                         Value>::LeafSize,
                        llvm::IntervalMapHalfOpenInfo<uint64_t>>;
  Ranges::Allocator memory;
  Ranges map{memory};

public:
  Map() = default;

  Map(const Map &other) {
    for (auto it = other.map.begin(); it.valid(); ++it)
      map.insert(it.start(), it.stop(), it.value());
  }

  Map &operator=(const Map &) = delete;

  void insert(uint64_t start, uint64_t end, const Value &value) {
    remove(start, end);
    map.insert(start, end, value);
  }

  // Entries that are cut touch nothing afterwards: nothing can be joined.
  void remove(uint64_t start, uint64_t end) {
    auto it = map.find(start);
    while (it.valid() && it.start() < end) {
      const uint64_t last = it.stop();
      if (it.start() < start) {
        const Value value = it.value();
        it.setStop(start);
        if (last > end) {
          map.insert(end, last, value);
          return;
        }
        ++it;
      } else if (last > end) {
        it.setStart(end);
        return;
      } else {
        it.erase();
      }
    }
  }

  template <class F> void ascending(uint64_t from, F f) const {
    for (auto it = map.find(from); it.valid(); ++it)
      if (!f(it.start(), it.stop(), it.value()))
        return;
  }

  template <class F> void descending(uint64_t below, F f) const {
    auto it = map.find(below);
    if (it.valid() && it.start() < below &&
        !f(it.start(), it.stop(), it.value()))
      return;
    while (it != map.begin()) {
      --it;
      if (!f(it.start(), it.stop(), it.value()))
        return;
    }
  }
};

} // namespace

RIVAL(llvm, Map)
