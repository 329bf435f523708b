#include "replay/export_typescript.h"

#include <gtest/gtest.h>

#include "export_support.h"

namespace opelog::replay {
namespace {

using testing::export_all;
using testing::of_kind;
using testing::resized;
using testing::shown;

TEST(Typescript, OutputBehindOneLineAndItsDelays) {
  ExportHeader header = testing::export_header();
  header.info.term = "x\n\"";
  TypescriptWriter writer;
  const std::string bytes("\xFF\0\n", 3);
  const ExportBytes out = export_all(
      writer, header,
      {shown(5, bytes), of_kind(ExportEvent::Kind::kInput, 6, "secret"), resized(7, 1, 1), shown(1000006, ""),
       of_kind(ExportEvent::Kind::kCommand, 1000007, "ls"), shown(2000007, "x")});
  EXPECT_EQ(out.timing, "0.000005 3\n2.000002 1\n");
  const std::size_t end = out.main.find('\n');
  EXPECT_EQ(out.main.substr(0, 18), "Script started on ");
  EXPECT_EQ(out.main.substr(end + 1), bytes + "x");
}

TEST(Typescript, NothingShownIsALineAndNoDelays) {
  const ExportBytes out = export_all(ExportFormat::kTypescript, {});
  EXPECT_EQ(out.timing, "");
  EXPECT_EQ(out.main.find('\n'), out.main.size() - 1);
}

}  // namespace
}  // namespace opelog::replay
