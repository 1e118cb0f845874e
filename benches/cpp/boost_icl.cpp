// boost_icl.cpp - Boost.ICL's interval_map, which joins equal neighbours.
#include "rival.hpp"

#include <boost/icl/interval_map.hpp>

namespace {

using rival::Value;

// What a map does with two values of one place; here one replaces the other.
struct Replace : boost::icl::identity_based_inplace_combine<Value> {
  void operator()(Value &old, const Value &value) const { old = value; }
};

class Map {
  using Range = boost::icl::right_open_interval<uint64_t>;
  // `partial_enricher`: a value of zeroes is one like any other.
  template <class> using Combine = Replace;
  boost::icl::interval_map<uint64_t, Value, boost::icl::partial_enricher,
                           std::less, Combine, boost::icl::inter_section, Range>
      map;

public:
  void insert(uint64_t start, uint64_t end, const Value &value) {
    map.set({Range(start, end), value});
  }

  void remove(uint64_t start, uint64_t end) { map.erase(Range(start, end)); }

  template <class F> void ascending(uint64_t from, F f) const {
    for (auto it = map.lower_bound(Range(from, from + 1)); it != map.end();
         ++it)
      if (!f(it->first.lower(), it->first.upper(), it->second))
        return;
  }

  template <class F> void descending(uint64_t below, F f) const {
    if (below == 0)
      return;
    for (auto it = map.upper_bound(Range(below - 1, below));
         it != map.begin();) {
      --it;
      if (!f(it->first.lower(), it->first.upper(), it->second))
        return;
    }
  }
};

} // namespace

RIVAL(icl, Map)
