#include "replay/export_html.h"

#include <gtest/gtest.h>

#include <set>

#include "export_support.h"

namespace opelog::replay {
namespace {

using testing::export_all;
using testing::of_kind;
using testing::shown;
using Kind = ExportEvent::Kind;

// Names of all elements, "/" before those that close; attributes are left in.
std::set<std::string> html_tags(const std::string& page) {
  std::set<std::string> tags;
  for (std::size_t at = 0; (at = page.find('<', at)) != std::string::npos; ++at)
    tags.insert(page.substr(at + 1, page.find_first_of(" >", at) - at - 1));
  return tags;
}

TEST(ExportHtml, AGapOfOutputEndsTheLineAndStandsAtItsPlace) {
  ExportEvent gap = of_kind(ExportEvent::Kind::kGap, 2000000, "missing");
  gap.of_output = true;
  const std::string page =
      export_all(ExportFormat::kHtml, {shown(1000000, "16"), gap, shown(3000000, "38\r\n")}).main;
  EXPECT_NE(page.find("<p><time>0:00:01</time><span>16</span></p>\n"
                      "<p class=\"gap\"><time>0:00:02</time><span>missing</span></p>\n"
                      "<p><time>0:00:03</time><span>38</span></p>\n"),
            std::string::npos)
      << page;
}

TEST(Html, TimesLinesAndCommandsInOrder) {
  ExportEvent end = of_kind(Kind::kEnd, 9000000, "ended: exit, exit status 0");
  const std::string page =
      export_all(ExportFormat::kHtml, {shown(0, "$ ls\r\n"), of_kind(Kind::kCommand, 1000000, "ls"),
                                       shown(2000000, "file\r\n"), end})
          .main;
  const std::size_t prompt = page.find("<p><time>0:00:00</time><span>$ ls</span></p>");
  const std::size_t command =
      page.find("<p class=\"command\" id=\"c1\"><time>0:00:01</time><span>ls</span></p>");
  const std::size_t file = page.find("<p><time>0:00:02</time><span>file</span></p>");
  ASSERT_NE(file, std::string::npos) << page;
  EXPECT_LT(prompt, command);
  EXPECT_LT(command, file);
  EXPECT_NE(page.find("<li><a href=\"#c1\">0:00:01</a> ls</li>"), std::string::npos);
  EXPECT_NE(page.find("ended: exit, exit status 0"), std::string::npos);
}

TEST(Html, WhateverIsRecordedTheElementsAreOurs) {
  const std::set<std::string> expected = html_tags(
      export_all(ExportFormat::kHtml, {shown(0, "a\x1b[?1049hb\x1b[?1049l"), of_kind(Kind::kCommand, 0, "c"),
                                       of_kind(Kind::kGap, 0, "d"), of_kind(Kind::kEnd, 0, "e")})
          .main);
  const std::string evil =
      "</p></span></pre></title></style><script>alert(1)</script><img src=x onerror=y>\"'&<!--";
  ExportHeader header = testing::export_header();
  header.info.user = header.info.host = header.info.client = header.info.term = header.info.shell =
      header.info.id = evil;
  header.info.command = evil;
  std::vector<ExportEvent> events;
  for (const auto& piece : testing::hostile_pieces()) events.push_back(shown(0, piece));
  events.push_back(shown(0, evil + "\x1b[?1049h" + evil + "\x1b[?1049l"));
  for (const Kind kind : {Kind::kCommand, Kind::kGap, Kind::kEnd}) events.push_back(of_kind(kind, 1, evil));
  HtmlWriter writer;
  const std::string page = export_all(writer, header, events).main;
  EXPECT_EQ(html_tags(page), expected);
  EXPECT_EQ(page.find("onerror=y>"), std::string::npos);
  EXPECT_NE(page.find("onerror=y&gt;"), std::string::npos);
  EXPECT_NE(
      page.find(
          "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\""),
      std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_EQ(page.find("https://"), std::string::npos);
  for (const char c : page) EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F));
}

TEST(Html, TheListOfCommandsIsBounded) {
  std::vector<ExportEvent> events;
  for (int i = 0; i < 5000; ++i) events.push_back(of_kind(Kind::kCommand, i, std::string(400, 'c')));
  const std::string page = export_all(ExportFormat::kHtml, events).main;
  EXPECT_NE(page.find("id=\"c5000\""), std::string::npos);
  EXPECT_NE(page.find(" more, at their places above</p>"), std::string::npos);
  EXPECT_EQ(page.find("href=\"#c5000\""), std::string::npos);
}

}  // namespace
}  // namespace opelog::replay
