// cpp.cpp - the header from C++: lambdas as callbacks, ownership by unique_ptr,
// and, with the argument `throw`, an exception that leaves a callback.
#include <mmap_c.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <vector>

namespace {

constexpr std::size_t page = 4096;
constexpr std::uintptr_t base = 0x100000;

struct Destroy {
  void operator()(MMapAddrSpace *mm) const { mmap_destroy(mm); }
};
using Space = std::unique_ptr<MMapAddrSpace, Destroy>;

void check(bool condition, const char *what) {
  if (condition)
    return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

std::vector<MMapRegion> regions(const MMapAddrSpace *mm) {
  std::vector<MMapRegion> all;
  MMapRegion region;
  for (bool more = mmap_next_region(mm, nullptr, &region); more;
       more = mmap_next_region(mm, &region, &region))
    all.push_back(region);
  return all;
}

// Ends the program: the exception does not get to the handler.
void throws(MMapAddrSpace *mm) {
  try {
    mmap_unmap(
        mm, base, page,
        [](std::uintptr_t, std::size_t, MMapInfo, void *) { throw 1; },
        nullptr);
  } catch (int) {
    std::cerr << "an exception crossed the library\n";
  }
  std::exit(0);
}

} // namespace

int main(int argc, char **argv) {
  Space mm(mmap_create(base, 16 * page, page));
  check(mm != nullptr, "a space");
  check(mmap_map_any(mm.get(), 0, 4 * page, 3, 0, -1, 0) == base, "lowest");
  if (argc > 1 && std::strcmp(argv[1], "throw") == 0)
    throws(mm.get());

  std::vector<MMapRegion> gone;
  auto keep = [](std::uintptr_t start, std::size_t len, MMapInfo info,
                 void *udata) {
    static_cast<std::vector<MMapRegion> *>(udata)->push_back(
        MMapRegion{start, len, info});
  };
  const MMapError error = mmap_unmap(mm.get(), base + page, page, keep, &gone);
  check(error == MMAP_OK, "unmapped");
  check(gone.size() == 1 && gone[0].start == base + page, "reported");
  check(regions(mm.get()).size() == 2, "cut in two");

  MMapOptions options{};
  options.align = 8 * page;
  options.placement = MMAP_PLACE_HIGHEST;
  check(mmap_find_free(mm.get(), page, &options) == base + 8 * page, "aligned");
  return 0;
}
