#include "core/message_id.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "core/event_counts.h"

namespace opelog {
namespace {

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(std::string(OPELOG_SOURCE_DIR) + "/" + file).rdbuf();
  return text.str();
}

TEST(MessageId, EachIsOneOfItsOwnAndHasAPlaceInCatalogAndPage) {
  const std::string catalog = text_of("units/opelog.catalog"), page = text_of("docs/operating.md");
  std::set<std::string_view> seen;
  for (const auto& [event, id] : message_ids()) {
    EXPECT_EQ(id.size(), 32U) << event;
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), id.npos) << event;
    EXPECT_TRUE(seen.insert(id).second) << event;
    EXPECT_EQ(message_id(event), id);
    EXPECT_NE(catalog.find("-- " + std::string(id) + "\n"), catalog.npos) << event;
    EXPECT_NE(page.find("`" + std::string(event) + "`"), page.npos) << event;
  }
  std::size_t entries = 0;
  for (std::size_t at = 0; (at = catalog.find("\n-- ", at)) != catalog.npos; ++at) ++entries;
  EXPECT_EQ(entries, message_ids().size()) << "the catalog has entries of no event";
  EXPECT_EQ(message_id("no-such-event"), "");
}

TEST(EventCounts, CountsEachAndIsBounded) {
  EventCounts counts;
  counts.add("a");
  counts.add("b");
  counts.add("a");
  EXPECT_EQ(counts.all().at("a"), 2U);
  EXPECT_EQ(counts.all().at("b"), 1U);
  for (int i = 0; i < 1000; ++i) counts.add("made-up-" + std::to_string(i));
  EXPECT_EQ(counts.all().size(), kMaxEvents);
  EXPECT_EQ(counts.all().at("other"), 1002 - kMaxEvents + 1);
  counts.add("a");
  EXPECT_EQ(counts.all().at("a"), 3U);
}

}  // namespace
}  // namespace opelog
