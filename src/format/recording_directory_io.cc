#include "format/recording_directory_io.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "format/recording_files_io.h"
#include "format/recording_open_io.h"

namespace opelog::format {
namespace {

constexpr std::size_t kHeadBytes = 8192;        // an ordinary header is below 2 KiB
constexpr std::uint64_t kSumBytes = 64 * 1024;  // a timing file up to this size is summed; above, estimated
constexpr std::size_t kMaxCandidates = 5;       // named in an error: what a person reads

/// The last whole lines of `.time`, and whether something unfinished follows them.
struct Tail {
  std::vector<Note> notes;  ///< of its H records, in order
  bool last_is_end = false;
  bool torn = false;
  std::optional<EndRecord> end;
};

Result<Tail> read_tail(RecordingFiles& files, bool classic) {
  Tail tail;
  auto last = files.time->last(kTailBytes);
  if (!last) return std::move(last).error();
  const std::string& buffer = *last;
  const bool whole = buffer.size() < kTailBytes;
  tail.torn = !buffer.empty() && buffer.back() != '\n';
  std::size_t begin = whole ? 0 : buffer.find('\n');  // the first line may be cut
  if (!whole && begin != std::string::npos) ++begin;
  while (begin < buffer.size()) {
    const std::size_t lf = buffer.find('\n', begin);
    if (lf == std::string::npos) break;
    TimingRecord record;
    const std::string_view line = std::string_view(buffer).substr(begin, lf - begin);
    begin = lf + 1;
    const bool was_end = std::exchange(tail.last_is_end, false);
    if (classic || !parse_timing_line(line, false, record).empty()) continue;
    const auto* h = std::get_if<HeaderRecord>(&record);
    if (h == nullptr) continue;
    if (h->name == kOpelogSeal) {
      tail.last_is_end = was_end;  // the end's seal is no record of the session
      continue;
    }
    tail.notes.push_back(Note{h->name, h->value, false});
    if (auto end = decode_end(tail.notes.back())) {
      tail.end = end;
      tail.last_is_end = true;
    }
  }
  return tail;
}

void summarise_foreign(const Tail& tail, RecordingSummary& summary) {
  summary.state = RecordingState::kForeign;
  for (const Note& note : tail.notes) {
    if (note.name == kDuration) summary.duration_us = parse_duration(note.value).value_or(0);
    if (note.name != kExitCode) continue;
    EndInfo end;
    if (auto code = parse_duration(note.value + ".0")) end.exit_code = static_cast<int>(*code / kUsPerS);
    end.bytes_out = summary.log_bytes;
    summary.end = end;
  }
}

std::int64_t estimate_duration(const RecordingFiles& files, const SessionInfo& info) {
  const WallUs last = std::max(files.time_facts.modified, files.log_facts.modified);
  return std::max<std::int64_t>(0, last - info.started);
}

/// "rotated", "gzip", "rotated, zstd", "gzip and plain": how the files lie there; "" if as written.
std::string stored_text(const RecordingFiles& files) {
  std::string text;
  for (const StoredPointer* file : {&files.log, &files.time, &files.in}) {
    if (!*file) continue;
    const StoredName& stored = (*file)->stored();
    std::string one = stored.rotation.empty() ? "" : "rotated";
    if (stored.encoding != Encoding::kPlain || one.empty())
      one += std::string(one.empty() ? "" : ", ") + encoding_word(stored.encoding);
    if (text.empty()) {
      text = one;
    } else if (text.find(one) == std::string::npos) {
      text += " and " + one;
    }
  }
  return text == encoding_word(Encoding::kPlain) ? "" : text;
}

/// Of `.log`, without unpacking it if that can be told.
std::uint64_t bytes_of_log(StoredFile& log, const std::optional<EndRecord>& end) {
  if (auto claimed = log.claimed_size()) return *claimed;
  if (end) {
    auto begin = data_begin(
        [&log](char* data, std::size_t size, std::uint64_t at) { return log.read_at(data, size, at); },
        false);
    return end->info.bytes_out + (begin ? begin->value_or(0) : 0);
  }
  auto size = log.size();
  return size ? *size : 0;
}

Result<RecordingSummary> summarise_files(RecordingFiles files, const RecordingList* list) {
  RecordingSummary summary;
  summary.name = files.name;
  summary.path = files.directory + files.name;
  HeaderDecoder header;
  auto problem = read_header(files, kHeadBytes, header);
  if (!problem) return std::move(problem).error();
  if (auto done = open_named_logs(files, header, list); !done) return std::move(done).error();
  summary.info = header.info;
  fill_from_outside(files, summary.info);
  summary.files_uid = files.time_facts.uid != 0 ? files.time_facts.uid : files.log_facts.uid;
  summary.files_user = summary.files_uid == 0 ? "root" : user_name(summary.files_uid);
  summary.stored = stored_text(files);
  if (!files.time || !problem->empty()) {
    if (files.log) summary.log_bytes = bytes_of_log(*files.log, std::nullopt);
    summary.state = files.time ? RecordingState::kCorrupt : RecordingState::kTorn;
    summary.problem = files.time ? std::move(*problem) : "there is no timing file";
    summary.duration_us = estimate_duration(files, summary.info);
    return summary;
  }
  char first = 0;
  auto got = files.time->read_at(&first, 1, 0);
  if (!got) return std::move(got).error();
  auto tail = read_tail(files, first >= '0' && first <= '9');
  if (files.log) summary.log_bytes = bytes_of_log(*files.log, tail ? tail->end : std::nullopt);
  if (!tail) {
    if (tail.error().code != Code::kInvalid) return std::move(tail).error();
    summary.state = RecordingState::kCorrupt;
    summary.problem = tail.error().message;
    summary.duration_us = estimate_duration(files, summary.info);
    return summary;
  }

  if (header.native || tail->end || *got == 0) {
    if (tail->last_is_end && !tail->torn) {
      summary.state = RecordingState::kEnded;
    } else if (is_locked(files.time->descriptor())) {
      summary.state = RecordingState::kLive;
    } else {
      summary.state = RecordingState::kTorn;
      summary.problem = tail->torn ? "torn in the middle of a timing record" : "there is no end record";
    }
    if (!files.log) {
      summary.state = RecordingState::kTorn;
      summary.problem = "there is no .log";
    }
    if (tail->end) {
      summary.end = tail->end->info;
      summary.duration_us = tail->end->duration_us;
      return summary;
    }
  } else {
    summarise_foreign(*tail, summary);
    if (summary.duration_us > 0) return summary;
  }
  const std::int64_t exact = summary.state == RecordingState::kLive ? -1 : sum_delays(files, kSumBytes);
  summary.duration_us = exact >= 0 ? exact : estimate_duration(files, summary.info);
  return summary;
}

// "4f2a91c000000001 (alice_…)", for an error that must say what to type instead.
std::string candidate_text(const std::string& directory, const std::string& name) {
  const auto summary = summarise(directory, name);
  return summary && !summary->info.id.empty() ? summary->info.id + " (" + name + ")" : name;
}

/// From the header alone; "" of what has none.
std::string id_of(const std::string& directory, const std::string& name, const RecordingList& list) {
  auto files = open_recording(directory + "/" + name + std::string(kTimeSuffix), &list);
  if (!files) return "";
  HeaderDecoder header;
  auto problem = read_header(*files, kHeadBytes, header);
  return problem ? header.info.id : "";
}

bool may_be_id(const std::string& prefix) {
  return !prefix.empty() && prefix.size() <= 16 &&
         prefix.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

const char* state_word(RecordingState state) noexcept {
  switch (state) {
    case RecordingState::kLive:
      return "live";
    case RecordingState::kEnded:
      return "ended";
    case RecordingState::kTorn:
      return "torn";
    case RecordingState::kForeign:
      return "foreign";
    case RecordingState::kCorrupt:
      return "corrupt";
  }
  return "corrupt";
}

Result<RecordingSummary> summarise(const std::string& directory, const std::string& name,
                                   const RecordingList* list) {
  // The name is taken as it is: a suffix of its own is put on, so that none is stripped off it.
  auto files = open_recording(directory + "/" + name + std::string(kTimeSuffix), list);
  if (!files) return std::move(files).error();
  return summarise_files(std::move(*files), list);
}

Result<std::string> find_recording(const std::string& directory, const std::string& prefix) {
  if (prefix.find('/') != std::string::npos) return prefix;
  if (prefix.empty()) return Error{Code::kInvalid, "an empty name matches every recording", 0};
  auto list = list_recordings(directory);
  if (!list) return std::move(list).error();
  std::vector<std::string> found;
  for (const std::string& name : list->names) {
    if (name == prefix) return directory + "/" + name;
    if (name.compare(0, prefix.size(), prefix) == 0) found.push_back(name);
  }
  if (found.empty() && may_be_id(prefix)) {
    for (const std::string& name : list->names) {
      if (id_of(directory, name, *list).compare(0, prefix.size(), prefix) == 0) found.push_back(name);
    }
  }
  if (found.size() == 1) return directory + "/" + found.front();
  if (found.empty()) {
    // A file's name given with its suffix.
    auto files = open_recording(directory + "/" + prefix);
    if (files) return directory + "/" + files->name;
    return Error{Code::kNotFound,
                 directory + ": no recording whose name or id begins with \"" + prefix + "\"", 0};
  }
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < kMaxCandidates; ++i)
    text += (i > 0 ? ", " : "") + candidate_text(directory, found[i]);
  if (found.size() > kMaxCandidates)
    text += " and " + std::to_string(found.size() - kMaxCandidates) + " more";
  return Error{Code::kInvalid,
               "\"" + prefix + "\" fits several recordings: " + text + "; write more of the id or name", 0};
}

}  // namespace opelog::format
