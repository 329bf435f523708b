#include "cli/client_filter.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

TEST(ClientFilter, MatchesAddressesAndRanges) {
  const struct {
    const char* filter;
    const char* client;
    bool matches;
  } cases[] = {{"192.0.2.7", "192.0.2.7", true},
               {"192.0.2.7", "192.0.2.8", false},
               {"192.0.2.0/24", "192.0.2.255", true},
               {"192.0.2.0/24", "192.0.3.0", false},
               {"192.0.2.9/24", "192.0.2.1", true},
               {"0.0.0.0/0", "203.0.113.1", true},
               {"0.0.0.0/0", "2001:db8::1", false},
               {"2001:db8::/32", "2001:db8:1::5", true},
               {"2001:db8::/32", "2001:db9::5", false},
               {"::/0", "2001:db8::1", true},
               {"192.0.2.0/24", "", false},
               {"192.0.2.0/24", "UNKNOWN", false}};
  for (const auto& c : cases) {
    const auto range = parse_client_filter(c.filter);
    ASSERT_TRUE(range) << c.filter;
    EXPECT_EQ(client_matches(*range, c.client), c.matches) << c.filter << " " << c.client;
  }
}

TEST(ClientFilter, RefusesWhatIsNone) {
  for (const char* text : {"", "host", "192.0.2", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x",
                           "2001:db8::/129", "/24", "1.2.3.4/-1"}) {
    EXPECT_FALSE(parse_client_filter(text)) << text;
  }
}

}  // namespace
}  // namespace opelog::cli
