// The fallback file as opelog-shell reads it. A file is good as a whole or not at all, for everybody alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" {
#include "shim/fallback.h"
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static opelog_fallback_answer answer;
  const std::uint32_t groups[] = {7, 1000};
  const opelog_person people[] = {
      {0, 0, nullptr, 0}, {1000, 1000, groups, 2}, {4294967295U, 4294967295U, nullptr, 0}};
  const char* text = reinterpret_cast<const char*>(data);
  const std::size_t line = opelog_decide_fallback(text, size, &people[0], &answer);
  for (const auto& person : people) {
    if (opelog_decide_fallback(text, size, &person, &answer) != line) std::abort();
    if (line != 0 && answer.verdict != OPELOG_FALLBACK_REFUSE) std::abort();
    if (line == 0 && answer.shell[0] != '\0' && answer.shell[0] != '/') std::abort();
  }
  return 0;
}
