// Any bytes, cut anywhere: what comes out can only draw, and does not depend on the cut.
#include <cstdio>
#include <cstdlib>

#include "replay/sanitize.h"
#include "sanitize_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const opelog::replay::Sanitizer::Options options{(data[0] & 1) != 0};
  const std::size_t cut = data[1] % (size - 1);
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  opelog::replay::Sanitizer whole(options), parts(options);
  std::string out, pieces;
  whole.feed(bytes, out);
  parts.feed(bytes.substr(0, cut), pieces);
  parts.feed(bytes.substr(std::min(cut, bytes.size())), pieces);
  whole.finish(out);
  parts.finish(pieces);
  out += whole.restore_sequence();
  pieces += parts.restore_sequence();
  const std::string forbidden = opelog::replay::what_is_forbidden(out, options.bell);
  if (out != pieces || !forbidden.empty()) {
    std::fprintf(stderr, "sanitizer: %s\n", out != pieces ? "the cut shows" : forbidden.c_str());
    std::abort();
  }
  return 0;
}
