#include "cli/show_play_io.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/session_commands_text.h"
#include "cli/session_text.h"
#include "format/recording_reader_io.h"

namespace opelog::cli {

void remark_size(const format::RecordingReader& reader, const replay::PlayOptions& options) {
  const auto& info = reader.info();
  winsize size{};
  if (options.resize || info.rows <= 0 || info.cols <= 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
    return;
  if (size.ws_row >= info.rows && size.ws_col >= info.cols) return;
  remark("recorded on " + std::to_string(info.cols) + "x" + std::to_string(info.rows) +
         ", this terminal has " + std::to_string(size.ws_col) + "x" + std::to_string(size.ws_row) +
         ": make it larger, or try --resize");
}

replay::CommandSource command_source(const std::string& path) {
  return {[path] { return format::RecordingReader::open(path); }, menu_label};
}

ExitCode show_play(format::RecordingReader& reader, const replay::PlayOptions& options,
                   const replay::CommandSource& commands) {
  reader.leave_out_holes(!options.raw);  // a zero byte draws nothing
  // Of a live one it is said before the wait begins, without the counts, and again with them.
  const auto remark_streams = [&reader](const std::optional<format::EndInfo>& end) {
    if (const std::string text = streams_text(reader.info(), end); !text.empty()) remark(text);
  };
  if (options.follow && reader.live()) remark_streams(std::nullopt);
  const auto report = replay::play(reader, options, commands);
  if (!report) return complain(report.error());
  if (report->end || !options.follow) remark_streams(report->end);
  for (const auto& gap : report->gaps) {
    remark("gap: " + gap.what + (gap.bytes > 0 ? ", " + std::to_string(gap.bytes) + " bytes" : "") + ": " +
           gap.why);
  }
  if (report->gap_count > report->gaps.size()) {
    remark("and " + std::to_string(report->gap_count - report->gaps.size()) + " more gaps");
  }
  if (report->signal != 0) return static_cast<ExitCode>(kSignalled + report->signal);
  if (report->quit || report->hung_up) return kOk;
  switch (report->outcome) {
    case format::Outcome::kTorn:
      remark(reader.problem().empty() ? "this recording has no end" : reader.problem());
      return kNo;
    case format::Outcome::kCorrupt:
      remark("corrupt: " + reader.problem());
      return kInvalid;
    case format::Outcome::kNeedMore:
      if (replay::output_is_terminal()) remark("the session goes on; --follow waits for more");
      return kOk;
    default:
      return kOk;
  }
}

}  // namespace opelog::cli
