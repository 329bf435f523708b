#include "support_io.h"

#include <gtest/gtest.h>

namespace opelog::index::testing {

std::unique_ptr<format::RecordingWriter> Archive::begin(const std::string& user, int day,
                                                        const std::string& output) {
  auto info = format::testing::sample_info();
  info.user = user;
  info.started += day * 86400 * kUsPerS;
  info.id = "00000000000000" + std::to_string(10 + day);
  auto writer = format::RecordingWriter::create(
      format::testing::options_for(recordings_,
                                   user + "_202611" + std::to_string(10 + day) + "140509_192.0.2.7"),
      info, 0);
  if (!writer) std::abort();
  add(**writer, output, kUsPerS);
  return std::move(*writer);
}

void Archive::add(format::RecordingWriter& writer, const std::string& output, std::int64_t at_us) {
  std::string_view left = output;
  while (!left.empty()) {
    const auto accepted = writer.output(left, at_us);
    if (!accepted) std::abort();
    left.remove_prefix(*accepted);
  }
  if (!writer.flush(at_us)) std::abort();
}

std::string Archive::make(const std::string& user, int day, const std::string& output) {
  auto writer = begin(user, day, output);
  format::EndInfo end;
  end.exit_code = 0;
  if (!writer->end(end, 2 * kUsPerS)) std::abort();
  return writer->name();
}

IndexReport Archive::update(bool rebuild) {
  remarks.clear();
  IndexOptions options;
  options.directory = directory();
  options.index = index();
  options.rebuild = rebuild;
  options.remark = [this](const std::string& text) { remarks.push_back(text); };
  auto report = update_index(options);
  if (!report) {
    ADD_FAILURE() << report.error().message;
    return {};
  }
  return *report;
}

std::vector<std::string> Archive::find(const std::string& pattern, bool from_index, PatternKind kind) {
  std::vector<std::string> found;
  auto compiled = Pattern::compile(kind, pattern, false);
  if (!compiled) return {compiled.error().message};
  SearchRequest request;
  request.directory = directory();
  if (from_index) request.index = index();
  Search search(std::move(request), std::move(*compiled));
  auto plan = search.plan();
  if (!plan) return {plan.error().message};
  left_out = 0;
  for (const auto& planned : *plan) {
    left_out += planned.left_out ? 1U : 0U;
    const auto more = search.session(planned, [&](const IndexedSession& session, const Hit& hit) {
      found.push_back(session.user + (hit.is_command ? "$" : ":") +
                      ((hit.gaps & kGapBefore) != 0 ? "|" : "") + hit.line +
                      ((hit.gaps & kGapBehind) != 0 ? "|" : "") + (hit.command.cut ? "!" : "") +
                      (hit.command.uncertain ? "?" : ""));
      return true;
    });
    if (!more) found.push_back(more.error().message);
  }
  problem = search.problem();
  lacking = search.lacking();
  return found;
}

std::int64_t ask(const std::string& path, const std::string& sql) {
  auto database = Database::open(path, Database::Mode::kWrite);
  if (!database) std::abort();
  auto number = database->number(sql);
  if (!number) ADD_FAILURE() << number.error().message;
  return number ? *number : -1;
}

}  // namespace opelog::index::testing
