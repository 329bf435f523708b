#include "format/recording_open_io.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

#include "format/recording_files_io.h"
#include "format/recording_name.h"
#include "format/stored_name.h"

namespace opelog::format {
namespace {

constexpr std::array<std::string_view, 3> kTimeNames = {".time", ".timing", ".tm"};
constexpr std::array<std::string_view, 2> kLogNames = {".log", ".typescript"};

bool strip(std::string& name, std::string_view suffix) {
  if (name.size() <= suffix.size() || name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
    return false;
  name.resize(name.size() - suffix.size());
  return true;
}

/// What was opened, if anything was there. Anything but "not there" is an error.
Status take_if_there(Result<StoredPointer> opened, StoredPointer& to) {
  if (opened) {
    to = std::move(*opened);
  } else if (opened.error().code != Code::kNotFound) {
    return std::move(opened).error();
  }
  return {};
}

/// The first of the names that exists and is not empty, plain or rotated: what is called as ours comes before
/// what plain script may have been told to write, so that nothing put beside a rotated recording is taken for
/// it.
template <typename Names>
Status open_first(const RecordingFiles& files, const Names& suffixes, const RecordingList* list,
                  StoredPointer& to) {
  for (const std::string_view suffix : suffixes) {
    for (const bool rotated : {false, true}) {
      const std::string file = files.name + std::string(suffix);
      StoredPointer found;
      if (auto done = take_if_there(
              rotated ? open_stored(files.directory, file, list) : open_not_rotated(files.directory, file),
              found);
          !done)
        return done;
      if (!found || (to && found->facts().size == 0)) continue;
      to = std::move(found);
      if (to->facts().size > 0) return {};
    }
  }
  return {};
}

bool exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

/// YYYYmmddHHMMSS of a name: the host's time zone, as the name was made.
WallUs parse_name_time(const std::string& text) {
  std::tm tm{};
  const char* end = ::strptime(text.c_str(), "%Y%m%d%H%M%S", &tm);
  if (end == nullptr || *end != '\0') return 0;
  tm.tm_isdst = -1;
  const std::time_t t = ::mktime(&tm);
  return t < 0 ? 0 : static_cast<WallUs>(t) * kUsPerS;
}

/// Time in "Script started on 2026-11-22 17:06:26+00:00 […"; 0 if it is not there.
WallUs first_line_time(StoredFile& log) {
  constexpr std::string_view kBegin = "Script started on ";
  std::array<char, 64> head;
  auto got = log.read_at(head.data(), head.size(), 0);
  if (!got) return 0;
  const std::string_view line(head.data(), *got);
  if (line.size() < kBegin.size() + 25 || line.substr(0, kBegin.size()) != kBegin) return 0;
  return parse_start_time(line.substr(kBegin.size(), 25)).value_or(0);
}

}  // namespace

std::string user_name(std::uint32_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return std::to_string(uid);
}

Result<RecordingFiles> open_recording(const std::string& path, const RecordingList* list) {
  RecordingFiles files;
  const std::size_t slash = path.rfind('/');
  files.directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  files.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (files.name.empty()) return Error{Code::kInvalid, path + ": not the name of a recording", 0};
  // A base name may itself end in ".in" or ".log" (a host's name): what is there as it stands comes first.
  const std::string whole = files.directory + files.name;
  if (!exists(whole + ".time") && !exists(whole + ".log")) {
    files.name = parse_stored_name(files.name).file;
    for (const std::string_view suffix : {".time", ".timing", ".tm", ".log", ".typescript", ".in"}) {
      if (strip(files.name, suffix)) break;
    }
  }
  if (auto done = open_first(files, kTimeNames, list, files.time); !done) return std::move(done).error();
  if (auto done = open_first(files, kLogNames, list, files.log); !done) return std::move(done).error();
  // Most have no input; whether the directory is to be searched for it, the header says.
  if (auto done =
          take_if_there(open_not_rotated(files.directory, files.name + std::string(kInputSuffix)), files.in);
      !done)
    return std::move(done).error();
  if (!files.time && !files.log && list != nullptr)
    return open_recording(path);  // rotated since it was listed
  if (!files.time && !files.log) return Error{Code::kNotFound, path + ": no such recording", ENOENT};
  if (files.time) files.time_facts = files.time->facts();
  if (files.log) files.log_facts = files.log->facts();
  return files;
}

Status open_named_logs(RecordingFiles& files, const HeaderDecoder& header, const RecordingList* list) {
  const auto open_one = [&](const std::string& named, StoredPointer& to) -> Status {
    if ((to && to->facts().size > 0) || named.empty()) return {};  // an empty one may have been rotated
    const std::string base = named.substr(named.rfind('/') + 1);   // npos + 1 is 0
    if (base.empty() || base == "." || base == "..") return {};
    return take_if_there(open_stored(files.directory, base, list), to);
  };
  const bool had_log = files.log != nullptr;
  if (auto done = open_one(header.output_log, files.log); !done) return done;
  if (files.log && !had_log) files.log_facts = files.log->facts();
  if (header.input_log == header.output_log) return {};  // one file for both: the reader reads it in turn
  return open_one(header.input_log, files.in);
}

Result<std::string> read_header(const RecordingFiles& files, std::size_t first_read, HeaderDecoder& header) {
  if (!files.time) return std::string();
  StoredFile& time = *files.time;
  return read_header(
      [&time](char* data, std::size_t size, std::uint64_t at) { return time.read_at(data, size, at); },
      first_read, header);
}

void fill_from_outside(const RecordingFiles& files, SessionInfo& info) {
  const FileFacts& facts = files.log ? files.log_facts : files.time_facts;
  const auto parts = parse_name(files.name);
  if (info.user.empty()) {
    info.uid = facts.uid;
    info.user = parts ? parts->user : user_name(facts.uid);
  }
  if (info.client.empty() && parts && parts->client != "UNKNOWN") info.client = parts->client;
  if (info.started == 0 && files.log) info.started = first_line_time(*files.log);
  if (info.started == 0 && parts) info.started = parse_name_time(parts->time);
  if (info.started == 0) info.started = facts.modified;
}

std::int64_t sum_delays(const RecordingFiles& files, std::uint64_t limit) {
  if (!files.time || files.time->claimed_size().value_or(0) > limit) return -1;
  TimingScanner scanner;
  TimingRecord record;
  std::vector<char> buffer(static_cast<std::size_t>(limit) + 1);
  auto got = files.time->read_at(buffer.data(), buffer.size(), 0);
  if (!got || *got > limit) return -1;
  scanner.feed({buffer.data(), *got});
  std::int64_t sum = 0;
  TimingScanner::Outcome outcome;
  while ((outcome = scanner.next(record)) == TimingScanner::Outcome::kRecord) {
    sum = std::min(sum + delay_of(record), kMaxTimeUs);
  }
  return outcome == TimingScanner::Outcome::kCorrupt ? -1 : sum;
}

}  // namespace opelog::format
